/* Names to addresses: the system's resolver, asked anew each time, in a thread. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "base/loop.h"
#include "net/socket.h"

#define RESOLVE_MAX 32 /* addresses of one name that are looked at */

struct resolve;

/*
 * found: IPv4 and IPv6 addresses in the resolver's order (RFC 6724), valid during the call.
 * ERR_DNS: no such name, no address, or a name server that fails; ERR_DNS_TIMEOUT: the servers did not
 * answer.
 */
typedef void resolve_fn(void *arg, const struct sockaddr_any *found, size_t count, const struct error *err);

/* host: a name or a literal. Exactly one callback, from the loop; none after resolve_cancel. */
struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, resolve_fn *fn, void *arg);
void resolve_cancel(struct resolve *r);

#endif

/*
 * From a target's name to a connection, as far as the tunnel's rules allow it:
 *
 *	name on the list? --> too many to it? --> resolve --> addresses allowed? --> race
 *
 * The addresses that are judged are the ones that are dialled: nothing is resolved again.
 */
#ifndef PROXY_TUNNEL_DIAL_H
#define PROXY_TUNNEL_DIAL_H

#include "base/list.h"
#include "net/dial.h"
#include "net/hostname.h"
#include "proxy/tunnel.h"

/* {0}: none yet. Lives as long as the connection, for it is what limits.connections_per_target counts. */
struct tunnel_target {
	struct list same; /* targets of the same bucket */
	char host[HOSTNAME_MAX];
	enum hostname_type type;
	uint16_t port;
	char text[HOSTNAME_MAX + 8]; /* "example.org:443", "[2001:db8::1]:443" */
};

/* host: canonical. */
void tunnel_target_init(struct tunnel_target *target, const char *host, enum hostname_type type,
			uint16_t port);
void tunnel_target_free(struct tunnel_target *target);

struct tunnel_dial;

/*
 * NULL: refused at once, with err. Else one callback, from the loop, or tunnel_dial_cancel. Errors of the
 * service's have its hop: ERR_REFUSED, ERR_UNREACHABLE, ERR_CONNECT_TIMEOUT, ERR_RESET; the others are the
 * tunnel's: ERR_DENIED, ERR_ADDRESS_DENIED, ERR_DNS, ERR_DNS_TIMEOUT, ERR_LIMIT, ERR_IO. target is borrowed.
 */
struct tunnel_dial *tunnel_dial_start(struct tunnel *t, struct tunnel_target *target, dial_fn *fn, void *arg,
				      struct error *err);
void tunnel_dial_cancel(struct tunnel_dial *d);

#endif

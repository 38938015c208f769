/*
 * The tunnel role: gives the enclave, which has no network, connections to services. It sees a name, a
 * port and bytes; what it may connect to is the operator's say (proxy/allow.h).
 *
 * Each connection is one request (proxy/tunnel_message.h), one answer, and then bytes. The memory of
 * one is constant. No connection waits for another's name or address.
 */
#ifndef PROXY_TUNNEL_H
#define PROXY_TUNNEL_H

#include "base/buf.h"
#include "net/listener.h"
#include "proxy/crew.h"

struct tunnel;

/* s: the settings tunnel, access, limits, timeouts; borrowed, and the crew, as long as the tunnel lives. */
struct tunnel *tunnel_new(struct loop *l, const struct settings *s, struct crew *crew, struct error *err);
/* Cuts what still runs. NULL is fine. */
void tunnel_free(struct tunnel *t);

/* A listener_fn; arg is the tunnel. Takes s. */
void tunnel_accept(void *arg, struct stream *s);
/* One that calls tunnel_accept. Taken: paused at limits.connections, its address is never dialled. */
void tunnel_add_listener(struct tunnel *t, struct listener *li);

/* Stops listening. done comes from the loop when the last connection is over, unless tunnel_free does. */
void tunnel_drain(struct tunnel *t, void (*done)(void *arg), void *arg);

/* No allow-list is set. */
bool tunnel_allows_all(const struct tunnel *t);
const struct tunnel_stats *tunnel_stats(const struct tunnel *t); /* this worker's */
/* What a ping is answered with: of all workers. */
void tunnel_status(const struct tunnel *t, struct buf *out);

#endif

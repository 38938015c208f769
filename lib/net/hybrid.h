/*
 * The handshake of a hybrid vsock (Firecracker docs/vsock.md, vhost-device-vsock README):
 *
 *	we:   CONNECT <port>\n
 *	it:   OK <its port>\n       then bytes of the connection
 */
#ifndef NET_HYBRID_H
#define NET_HYBRID_H

#include "net/dial.h"

struct hybrid;

/* Takes `lower` whatever comes of it; gives it back in the callback when all went well. */
struct hybrid *hybrid_start(struct stream *lower, uint32_t port, dial_fn *fn, void *arg);
void hybrid_cancel(struct hybrid *h);

#endif

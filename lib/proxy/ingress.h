/*
 * Attested ingress, the enclave's side: TLS from clients anywhere that ends here. The host carries bytes that
 * it cannot read (proxy/ingress_host.h), over connections of their own rather than in frames: it has nothing
 * to add to them, vsock's own credit is their flow control, and no enclave connection of a request is held by
 * them.
 *
 *	accept --> handshake with the key in force --> front of that key --> the proxy, or the application
 *
 *	          rotate                    overlap                    last connection gone
 *	IN FORCE --------> OVERLAPPING ----------------> DRAINING -------------------------> freed
 *	    new connections    those it has go on,          they end behind
 *	                       documents name this key      their exchange
 *
 * A key from files is looked at again when its time is over, and goes on if they hold the same.
 *
 * Each key has a front of its own, so that a document asked for over a connection names the key of this
 * connection. Of the proxy's own paths, clients from anywhere get /attestation and /health/live alone.
 */
#ifndef PROXY_INGRESS_H
#define PROXY_INGRESS_H

#include "net/listener.h"
#include "proxy/attest.h"
#include "proxy/front.h"

struct ingress;

struct ingress_config {
	struct front_config front; /* of the proxy: what is not for the application goes to its route */
	struct attest *attest;	   /* borrowed */
};

/* front.on_closed is called when a connection has gone or an exchange with the application is over. */
struct ingress *ingress_new(struct loop *l, const struct ingress_config *config, struct error *err);
void ingress_accept(void *arg, struct stream *s); /* for its listener; arg is the ingress */
void ingress_add(struct ingress *i, struct listener *li);
void ingress_drain(struct ingress *i);
bool ingress_busy(const struct ingress *i); /* NULL: not busy */
/* What still runs is cut; exchanges of the proxy's role have ended. NULL is fine. */
void ingress_free(struct ingress *i);

#endif

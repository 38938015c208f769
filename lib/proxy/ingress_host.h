/*
 * Attested ingress, the host's side: a TCP port whose bytes go to the enclave as they are, and back. What
 * they say is between the client and the enclave; seen here are TLS records, addresses, sizes and times.
 */
#ifndef PROXY_INGRESS_HOST_H
#define PROXY_INGRESS_HOST_H

#include "net/listener.h"
#include "proxy/crew.h"

struct ingress_host;

/* settings, crew: borrowed. on_over: a connection has gone. */
struct ingress_host *ingress_host_new(struct loop *l, const struct settings *s, struct crew *crew,
				      void (*on_over)(void *owner), void *owner, struct error *err);
void ingress_host_accept(void *arg, struct stream *s); /* for its listener; arg is the ingress_host */
void ingress_host_add(struct ingress_host *h, struct listener *li);
void ingress_host_drain(struct ingress_host *h); /* accepts no more */
uint64_t ingress_host_open(const struct ingress_host *h);
void ingress_host_free(struct ingress_host *h); /* what still runs is cut; NULL is fine */

#endif

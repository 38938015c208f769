/*
 * The role on the instance: an HTTP proxy for its apps that hands every request to the
 * enclave. It sees what these apps send in clear, by construction, and of CONNECT and of
 * apps inside the enclave nothing but TLS.
 */
#ifndef PROXY_HOST_H
#define PROXY_HOST_H

#include "net/listener.h"
#include "proxy/crew.h"

struct host;

/* settings, crew: borrowed */
struct host *host_new(struct loop *l, const struct settings *s, struct crew *crew, struct error *err);
void host_free(struct host *h);		       /* what still runs is cut */
void host_accept(void *arg, struct stream *s); /* for its listeners; arg is the host */
void host_add(struct host *h, struct listener *li);
/* For the listener of ingress.listen, if that is set; arg is the host. */
void host_accept_ingress(void *arg, struct stream *s);
void host_add_ingress(struct host *h, struct listener *li);
void host_drain(struct host *h, void (*drained)(void *arg), void *arg);

#endif

/*
 * The role that is trusted: takes requests from the host in frames and from apps inside the
 * enclave over HTTP, judges them by the policy, and carries them over TLS to the service.
 */
#ifndef PROXY_ENCLAVE_H
#define PROXY_ENCLAVE_H

#include "base/buf.h"
#include "base/log_ring.h"
#include "net/listener.h"
#include "proxy/crew.h"

struct enclave;

/* What the machine around tells, for those who know it; all of it may be NULL. */
struct enclave_surroundings {
	/* False: the clock is wrong, and no certificate may be judged by it. */
	bool (*clock_good)(void *arg, struct error *err);
	/* Appends lines for /metrics (proxy/metrics.h). */
	void (*metrics)(void *arg, struct buf *out);
	void *arg;
	struct log_ring *lines; /* of our log, for the host to take; borrowed */
};

/* settings, crew: borrowed. NULL: err says which setting. */
struct enclave *enclave_new(struct loop *l, const struct settings *s, struct crew *crew, struct error *err);
void enclave_free(struct enclave *e); /* what still runs is cut */

/* For the listener of frames; arg is the enclave. */
void enclave_accept(void *arg, struct stream *s);
void enclave_add(struct enclave *e, struct listener *frames);
/* For the listener of HTTP; arg is the enclave. */
void enclave_accept_http(void *arg, struct stream *s);
void enclave_add_http(struct enclave *e, struct listener *http);

/* For the listener of ingress.enclave_listen, if that is set; arg is the enclave. */
void enclave_accept_ingress(void *arg, struct stream *s);
void enclave_add_ingress(struct enclave *e, struct listener *ingress);

/* Stops accepting; drained(arg) once, when nothing runs any more. */
void enclave_drain(struct enclave *e, void (*drained)(void *arg), void *arg);

void enclave_surround(struct enclave *e, const struct enclave_surroundings *around); /* copied */

/* For the start: what policy and trust store are in force. */
void enclave_log_start(const struct enclave *e);

#endif

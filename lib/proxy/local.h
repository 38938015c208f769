/*
 * Answers that the proxy gives itself: /health, /health/live, /metrics, and what it does not have.
 * Those about attestation are the enclave's alone: proxy/attest.h.
 */
#ifndef PROXY_LOCAL_H
#define PROXY_LOCAL_H

#include "proxy/exchange.h"

enum local_path { LOCAL_HEALTH, LOCAL_METRICS, LOCAL_ATTESTATION /* and below it */, LOCAL_OTHER };

enum local_path local_path(struct exchange *x);

/* Requests for /health that wait until the next hop has been asked. */
#define LOCAL_WAITING_MAX 64
struct local_waiting {
	struct exchange *x[LOCAL_WAITING_MAX];
	size_t count;
};
void local_init(struct local_waiting *w);
/* Beyond LOCAL_WAITING_MAX it is refused with ERR_RATE. */
void local_wait(struct local_waiting *w, struct exchange *x);
void local_answer_all(struct local_waiting *w, struct span json, bool ok);
/* From role.on_done: it may go before its answer comes. */
void local_forget(struct local_waiting *w, const struct exchange *x);

/* 200 with that body, at most BLOCK_SIZE bytes; copied. type lives on. */
void local_answer(struct exchange *x, struct span type, struct span body);
/* text: Prometheus lines; copied. */
void local_metrics(struct exchange *x, struct span text);
/* /health/live, OPTIONS, or an explanation of how to name a target. */
void local_other(struct exchange *x);

#endif

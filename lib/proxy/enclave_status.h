/* What the enclave says of itself: /health, /health/live and /metrics inside, pings from the host, the
 * start's log lines. */
#ifndef PROXY_ENCLAVE_STATUS_H
#define PROXY_ENCLAVE_STATUS_H

#include "proxy/attest.h"
#include "proxy/crew.h"
#include "proxy/upstream.h"

struct enclave_status;

struct enclave_status_config { /* all borrowed */
	const struct settings *settings;
	const struct policy *policy;
	const struct tls_conf *tls;
	const struct attest *attest;
	struct crew *crew;
	struct upstream *upstream;
	const struct witness_key *receipts; /* NULL: none are given */
	/* The answer to enclave_status_ask; json is valid during the call. From the loop. */
	void (*on_status)(void *owner, struct span json);
	/* Appends what others count. */
	void (*on_metrics)(void *owner, struct buf *out);
	void *owner;
};

struct enclave_status *enclave_status_new(struct loop *l, const struct enclave_status_config *config);
void enclave_status_free(struct enclave_status *s);

/* Asks the tunnel how it is, unless that was done a moment ago; several at a time are one. */
void enclave_status_ask(struct enclave_status *s);
/* Answers a request that is for the proxy itself. */
void enclave_status_reply(struct enclave_status *s, struct exchange *x);
void enclave_status_done(struct enclave_status *s, const struct exchange *x); /* from role.on_done */
void enclave_status_metrics(struct enclave_status *s, struct buf *out);	      /* appends them */
void enclave_status_log(const struct enclave_status *s);

#endif

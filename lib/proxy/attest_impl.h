/*
 * What the files of the attestation endpoint share; nobody else includes it.
 *
 *	attest.c        what is asked, and the endpoint's life
 *	attest_queue.c  documents being made, one after the other, in a thread
 */
#ifndef PROXY_ATTEST_IMPL_H
#define PROXY_ATTEST_IMPL_H

#include "base/loop.h"
#include "nsm/attestation.h"
#include "nsm/claims.h"
#include "nsm/nsm.h"
#include "proxy/attest.h"
#include "proxy/attest_query.h"
#include "proxy/ratelimit.h"

/* One document: asked for, being made, or made. */
struct making {
	struct list link;
	struct attest *attest; /* NULL: it has gone */
	struct nsm *nsm;       /* borrowed, unless attest has gone: then this is its last user and owns it */
	struct exchange *x;    /* NULL: the one at start, or it has gone */
	struct attest_query query;
	uint64_t since;
	char claims[CLAIMS_MAX]; /* what user_data is the digest of */
	size_t claims_len;
	struct buf document;
	bool made;
	struct error err;
};

struct attest {
	struct loop *loop;
	struct nsm *nsm; /* NULL: there is none */
	struct claims claims;
	struct ratelimit *rate; /* borrowed */
	struct list queue;
	unsigned waiting;
	struct making *running;
	struct job *job;
	struct timer patience;
	struct task begin;
	bool told; /* the first document was made; these are its facts */
	char module[ATTESTATION_MODULE_MAX + 1];
	bool debug;
};

/* key: of the ingress that asks, in place of the newest; may be NULL. */
struct making *making_new(const struct attest *a, const uint8_t *key);
void making_free(struct making *m); /* in the queue or not */
static inline struct span making_claims(const struct making *m)
{
	return (struct span){m->claims, m->claims_len};
}

/* Takes m. Its exchange, if there is one then, gets the document. */
void attest_enqueue(struct attest *a, struct making *m);

#endif

/*
 * The question and its answer, over a connection that lives on: GET /attestation?nonce=.. and the JSON with
 * a document and the claims that it vouches for.
 */
#ifndef CMD_VERIFY_ASK_H
#define CMD_VERIFY_ASK_H

#include "base/buf.h"
#include "http/target.h"
#include "net/stream.h"

/* What came, not believed yet. Needs verify_evidence_free. */
struct verify_evidence {
	struct buf document, claims;
};
void verify_evidence_init(struct verify_evidence *e);
void verify_evidence_free(struct verify_evidence *e);

struct verify_ask;
/* err NULL: evidence is filled in, and behind the answer nothing has been read from the stream. */
typedef void verify_ask_fn(void *arg, const struct error *err);

/* s, to and evidence are borrowed. One callback; err: s is to be closed in it. None after the cancel. */
struct verify_ask *verify_ask_start(struct stream *s, const struct target *to, struct span nonce,
				    struct verify_evidence *evidence, verify_ask_fn *fn, void *arg);
void verify_ask_cancel(struct verify_ask *a); /* closes s */

#endif

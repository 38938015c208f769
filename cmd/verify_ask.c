#include "verify_ask.h"

#include <stdlib.h>

#include "base/config.h"
#include "base/mem.h"
#include "http/reader.h"
#include "nsm/attestation.h"
#include "nsm/claims.h"
#include "proxy/base64.h"

#define ANSWER_MAX 65536
#define ANSWER_MS  30000

struct verify_ask {
	struct stream *stream;
	struct verify_evidence *evidence;
	struct timer timer;
	struct buf request, answer;
	struct parse_limits limits;
	struct reader reader;
	int status;
	verify_ask_fn *fn;
	void *arg;
};

void verify_evidence_init(struct verify_evidence *e)
{
	buf_init(&e->document, COSE_MAX);
	buf_init(&e->claims, CLAIMS_MAX);
}

void verify_evidence_free(struct verify_evidence *e)
{
	buf_free(&e->document);
	buf_free(&e->claims);
}

static void stop(struct verify_ask *a)
{
	timer_stop(stream_loop(a->stream), &a->timer);
	reader_cancel(&a->reader);
}

static void release(struct verify_ask *a)
{
	reader_free(&a->reader);
	buf_free(&a->request);
	buf_free(&a->answer);
	free(a);
}

/* Released last: the request may still be lent to the stream, which the callee then closes. */
static void finish(struct verify_ask *a, const struct error *err)
{
	stop(a);
	a->fn(a->arg, err);
	release(a);
}

/* ---- the answer ---- */

static bool on_value(void *arg, const struct config_value *value, struct error *err)
{
	struct verify_evidence *e = arg;
	struct span text = value->kind == CONFIG_TEXT ? span_of(value->text) : (struct span){NULL, 0};
	size_t n;
	if (text.p && strcmp(value->path, "document") == 0) {
		char *room = buf_extend(&e->document, COSE_MAX);
		if (!room || !base64_decode(text, room, COSE_MAX, &n))
			return error_set(err, ERR_BAD_RESPONSE, "the document is not base64");
		e->document.n = n;
	}
	if (text.p && strcmp(value->path, "claims") == 0 && !buf_add_span(&e->claims, text))
		return error_set(err, ERR_BAD_RESPONSE, "the claims are too long");
	return true;
}

static bool take(struct verify_ask *a, struct error *err)
{
	if (a->status != 200)
		return error_set(err, ERR_BAD_RESPONSE, "the answer to /attestation was status %d",
				 a->status);
	if (!config_parse_json("the answer", a->answer.p ? a->answer.p : "", a->answer.n, on_value,
			       a->evidence, err))
		return false;
	return (a->evidence->document.n && a->evidence->claims.n) ||
	       error_set(err, ERR_BAD_RESPONSE, "there is no document, or no claims, in the answer");
}

static void read_on(struct verify_ask *a);

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct verify_ask *a = arg;
	struct error why;
	if (!part) {
		error_set(&why, ERR_RESET, "the connection ended before an answer");
		finish(a, err ? err : &why);
		return;
	}
	if (part->head)
		a->status = part->head->status;
	bool fits = !part->data || buf_add_span(&a->answer, block_span(part->data));
	block_put(part->data);
	if (!fits) {
		error_set(&why, ERR_BAD_RESPONSE, "the answer is too long");
		finish(a, &why);
	} else if (!part->end) {
		read_on(a);
	} else {
		finish(a, take(a, &why) ? NULL : &why);
	}
}

static void read_on(struct verify_ask *a)
{
	reader_read(&a->reader, on_part, a);
}

/* ---- the question ---- */

static void on_written(void *arg, const struct error *err)
{
	struct verify_ask *a = arg;
	if (err)
		finish(a, err);
	else
		read_on(a);
}

static void on_slow(struct timer *t)
{
	struct verify_ask *a = container_of(t, struct verify_ask, timer);
	struct error err;
	error_set(&err, ERR_TIMEOUT, "no answer within %d s", ANSWER_MS / 1000);
	finish(a, &err);
}

static void write_request(struct verify_ask *a, const struct target *to, struct span nonce)
{
	char authority[TARGET_AUTHORITY_MAX], hex[2 * ATTESTATION_NONCE_SEND + 1];
	digest_to_hex((const uint8_t *)nonce.p, nonce.n, hex);
	target_authority(to, authority);
	buf_printf(&a->request,
		   "GET /attestation?nonce=%s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n\r\n", hex,
		   authority);
}

struct verify_ask *verify_ask_start(struct stream *s, const struct target *to, struct span nonce,
				    struct verify_evidence *evidence, verify_ask_fn *fn, void *arg)
{
	struct verify_ask *a = mem_zero(sizeof *a);
	*a = (struct verify_ask){
		.stream = s, .evidence = evidence, .limits = PARSE_LIMITS_MAX, .fn = fn, .arg = arg};
	CHECK(nonce.n <= ATTESTATION_NONCE_SEND);
	buf_init(&a->request, 4096);
	buf_init(&a->answer, ANSWER_MAX);
	reader_init(&a->reader, s, HEAD_RESPONSE, &a->limits, NULL, NULL);
	reader_next(&a->reader, ASKED_OTHER);
	write_request(a, to, nonce);
	timer_start(stream_loop(s), &a->timer, ANSWER_MS, on_slow);
	struct span request = buf_span(&a->request);
	stream_write(s, &request, 1, on_written, a);
	return a;
}

void verify_ask_cancel(struct verify_ask *a)
{
	stop(a);
	stream_close(a->stream);
	release(a);
}

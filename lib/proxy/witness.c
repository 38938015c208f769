#include "proxy/witness.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "nsm/receipt.h"
#include "proxy/base64.h"

#define VALUE_MAX (2 * RECEIPT_MAX) /* base64 takes four thirds */

struct witness_key {
	struct receipt_key key;
	uint64_t count;
};

struct witness {
	struct loop *loop;
	struct witness_key *key;
	struct tls_info peer;
	struct hash_stream *up, *down; /* owned */
	struct receipt receipt;
	char method[RECEIPT_METHOD_MAX], target[RECEIPT_TARGET_MAX], cipher[RECEIPT_SUITE_MAX];
	bool empty; /* the response's head says that there is no body */
	bool due;   /* and has been said to be */

	/* being signed */
	struct job *job;
	struct receipt_key handle; /* a copy: the thread may outlive key */
	struct part *part;
	void (*fn)(void *arg);
	void *arg;
	bool made;
	struct error err;
	struct buf value;
	struct head *trailers; /* owned; the service's, and the receipt */
};

/* ---- the key ---- */

struct witness_key *witness_key_new(struct error *err)
{
	struct witness_key *k = mem_zero(sizeof *k);
	if (receipt_key_make(&k->key, err))
		return k;
	free(k);
	return NULL;
}

void witness_key_free(struct witness_key *k)
{
	if (!k)
		return;
	receipt_key_free(&k->key);
	free(k);
}

void witness_key_sha256(const struct witness_key *k, uint8_t out[HASH_SIZE])
{
	memcpy(out, k->key.sha256, HASH_SIZE);
}

uint64_t witness_key_signed(const struct witness_key *k)
{
	return k->count;
}

/* ---- the exchange ---- */

bool witness_asked(struct head *request)
{
	const struct field *f = head_find(request, WITNESS_WANT_FIELD);
	if (!f)
		return false;
	bool asked = span_is(f->value, SPAN("1"));
	head_remove(request, WITNESS_WANT_FIELD);
	return asked;
}

static void set_target(struct witness *w, const struct target *t)
{
	_Static_assert(TARGET_AUTHORITY_MAX + sizeof "https://" <= RECEIPT_TARGET_MAX, "any target fits");
	size_t n = t->https ? sizeof "https://" - 1 : sizeof "http://" - 1;
	memcpy(w->target, t->https ? "https://" : "http://", n);
	target_authority(t, w->target + n);
	w->receipt.target = span_of(w->target);
	hash_sha256(&t->path, 1, w->receipt.path);
}

struct witness *witness_new(struct loop *l, struct witness_key *k, const struct head *request,
			    const struct target *t)
{
	if (request->method.n > RECEIPT_METHOD_MAX || t->kind != TARGET_URL)
		return NULL;
	struct witness *w = mem_zero(sizeof *w);
	w->loop = l;
	w->key = k;
	w->up = hash_stream_start();
	w->down = hash_stream_start();
	memcpy(w->method, request->method.p, request->method.n);
	w->receipt.method = (struct span){w->method, request->method.n};
	set_target(w, t);
	buf_init(&w->value, VALUE_MAX);
	return w;
}

static void discard(void *arg)
{
	struct witness *w = arg;
	hash_stream_end(w->up, NULL);
	hash_stream_end(w->down, NULL);
	buf_free(&w->value);
	free(w->trailers);
	free(w);
}

void witness_free(struct witness *w)
{
	if (w && w->job)
		job_abandon(w->job, discard);
	else if (w)
		discard(w);
}

struct tls_info *witness_peer(struct witness *w)
{
	return &w->peer;
}

void witness_request(struct witness *w, struct span body)
{
	hash_stream_add(w->up, body);
}

void witness_response(struct witness *w, struct span body)
{
	hash_stream_add(w->down, body);
}

void witness_head(struct witness *w, struct head *h)
{
	w->receipt.status = (unsigned)h->status;
	w->empty = h->framing == BODY_NONE || (h->framing == BODY_LENGTH && !h->body_length);
	head_remove(h, WITNESS_FIELD); /* a service that plays the proxy */
	if (w->empty)
		return;
	head_remove(h, "Content-Length");
	h->framing = BODY_CHUNKED;
	head_add(h, SPAN("Trailer"), SPAN(WITNESS_FIELD));
}

bool witness_due(struct witness *w, const struct part *part)
{
	bool due = !w->due && w->receipt.status && (w->empty || part->end);
	w->due |= due;
	return due;
}

/* ---- signing ---- */

static void on_work(void *arg)
{
	struct witness *w = arg;
	struct buf receipt;
	buf_init(&receipt, RECEIPT_MAX);
	w->made = receipt_write(&receipt, &w->receipt, &w->handle, &w->err);
	if (w->made) {
		buf_add_text(&w->value, ":");
		base64_encode(buf_span(&receipt), &w->value);
		buf_add_text(&w->value, ":");
	}
	buf_free(&receipt);
}

/* What is true of the service's trailers stays true; only ours is added, and nobody else's of that name. */
static void add_trailer(struct witness *w)
{
	const struct head *theirs = w->part->trailers;
	w->trailers = mem_alloc(sizeof *w->trailers);
	w->trailers->count = 0;
	for (size_t i = 0; theirs && i < theirs->count; i++)
		if (!span_is_nocase(theirs->fields[i].name, SPAN(WITNESS_FIELD)))
			w->trailers->fields[w->trailers->count++] = theirs->fields[i];
	head_add(w->trailers, SPAN(WITNESS_FIELD), buf_span(&w->value));
	w->part->trailers = w->trailers;
}

static void on_signed(void *arg)
{
	struct witness *w = arg;
	w->job = NULL;
	if (!w->made) {
		log_write(LOG_ERROR, "no receipt", LOG_ERR(&w->err));
	} else {
		w->key->count++;
		if (w->empty)
			head_add(w->part->head, SPAN(WITNESS_FIELD), buf_span(&w->value));
		else
			add_trailer(w);
	}
	w->fn(w->arg);
}

/* "TLS1-3-AES-128-GCM-SHA256", "TLS-ECDHE-..": mbedTLS's names are IANA's in another dress. */
static void set_cipher(struct witness *w)
{
	struct span name = span_of(w->peer.cipher);
	struct span rest = span_from(name, span_starts(name, SPAN("TLS1-3-")) ? 7 : 4);
	CHECK(rest.n + 4 <= sizeof w->cipher);
	memcpy(w->cipher, "TLS_", 4);
	for (size_t i = 0; i < rest.n; i++)
		w->cipher[4 + i] = (char)(rest.p[i] == '-' ? '_' : rest.p[i]);
	w->receipt.cipher = (struct span){w->cipher, 4 + rest.n};
}

static void set_peer(struct witness *w)
{
	struct receipt *r = &w->receipt;
	r->secure = w->peer.protocol != NULL;
	if (!r->secure)
		return;
	r->tls = span_of(w->peer.protocol);
	memcpy(r->peer, w->peer.leaf_sha256, SHA256_SIZE);
	set_cipher(w);
}

void witness_sign(struct witness *w, struct part *part, bool request_sent, void (*fn)(void *arg), void *arg)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	w->receipt.time = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	w->receipt.has_request = request_sent;
	hash_stream_end(w->up, w->receipt.request);
	hash_stream_end(w->down, w->receipt.response);
	w->up = w->down = NULL;
	set_peer(w);
	w->part = part;
	w->fn = fn;
	w->arg = arg;
	w->handle = w->key->key;
	w->job = job_start(w->loop, on_work, on_signed, w);
}

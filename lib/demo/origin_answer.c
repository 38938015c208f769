#include "demo/origin_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "demo/noise.h"
#include "demo/origin.h"
#include "demo/origin_document.h"
#include "tls/hash.h"

#define KEPT_MAX  BLOCK_SIZE /* of a request's body, to be echoed */
#define DELAY_MAX 10.0
#define LINES_MAX 1000000

enum source { SOURCE_NONE, SOURCE_TEXT, SOURCE_NOISE, SOURCE_LINES };

/*
 *	RECEIVING --end of the request--> [WAITING] --> SENDING --all sent--> gone
 */
struct answer {
	struct loop *loop;
	struct list link;
	struct leg *leg;
	struct head *request;  /* valid as long as the leg */
	const char *authority; /* borrowed */
	struct part part;
	struct hash_stream *hash; /* of the request's body */
	struct buf kept;
	uint64_t received;
	struct timer timer;
	struct head head;
	char length[24];
	enum source source;
	struct buf text;
	uint64_t at, size, seed; /* of noise in bytes, of lines in lines */
	struct block *block;	 /* being sent */
};

static void free_answer(struct answer *a, const struct error *why)
{
	timer_stop(a->loop, &a->timer);
	list_remove(&a->link);
	hash_stream_end(a->hash, NULL);
	block_put(a->block);
	buf_free(&a->kept);
	buf_free(&a->text);
	leg_close(a->leg, why);
	free(a);
}

void answer_cut_all(struct list *all)
{
	struct error err;
	error_set(&err, ERR_CANCELLED, "the origin is stopping");
	LIST_EACH (it, all)
		free_answer(container_of(it, struct answer, link), &err);
}

/* ---- sending ---- */

static void send_more(struct answer *a, struct head *head);

static void on_sent(void *arg, const struct error *err)
{
	struct answer *a = arg;
	block_put(a->block);
	a->block = NULL;
	if (err || a->part.end)
		free_answer(a, err);
	else
		send_more(a, NULL);
}

static void fill_lines(struct answer *a)
{
	char line[128];
	for (; a->at < a->size; a->at++) {
		int n = snprintf(line, sizeof line, "{\"id\": %llu, \"of\": %llu}\n",
				 (unsigned long long)a->at, (unsigned long long)a->size);
		if (block_free_room(a->block) < (size_t)n)
			return;
		memcpy(a->block->data + a->block->len, line, (size_t)n);
		a->block->len += (size_t)n;
	}
}

static void fill(struct answer *a)
{
	size_t take;
	switch (a->source) {
	case SOURCE_NONE:
		break;
	case SOURCE_TEXT:
		take = a->text.n - a->at < BLOCK_SIZE ? (size_t)(a->text.n - a->at) : BLOCK_SIZE;
		memcpy(a->block->data, a->text.p + a->at, take);
		a->block->len = take;
		a->at += take;
		break;
	case SOURCE_NOISE:
		take = a->size - a->at < BLOCK_SIZE ? (size_t)(a->size - a->at) : BLOCK_SIZE;
		noise_fill(a->seed, a->at, a->block->data, take);
		a->block->len = take;
		a->at += take;
		break;
	case SOURCE_LINES:
		fill_lines(a);
		break;
	}
}

static void send_more(struct answer *a, struct head *head)
{
	if (a->source != SOURCE_NONE) {
		a->block = block_get(loop_blocks(a->loop));
		fill(a);
	}
	a->part = (struct part){.head = head, .data = a->block, .end = a->at == a->size};
	leg_send(a->leg, &a->part, on_sent, a);
}

static void begin(struct answer *a, int status, const char *type)
{
	static const struct span reason = {"Answer", 6};
	struct head *h = &a->head;
	head_init_response(h, status, status == 200 ? SPAN("OK") : reason);
	h->keep_alive = true;
	head_add(h, SPAN("Server"), SPAN(ORIGIN_SERVER));
	head_add(h, SPAN("Cache-Control"), SPAN("no-store"));
	head_add(h, SPAN("Content-Type"), span_of(type));
	if (a->source == SOURCE_LINES) {
		h->framing = BODY_CHUNKED;
	} else if (!head_status_bodyless(status)) {
		h->framing = BODY_LENGTH;
		h->body_length = a->size;
		snprintf(a->length, sizeof a->length, "%llu", (unsigned long long)a->size);
		head_add(h, SPAN("Content-Length"), span_of(a->length));
	}
	if (head_method_is(a->request, "HEAD") || head_status_bodyless(status)) {
		h->framing = BODY_NONE;
		a->source = SOURCE_NONE;
		a->size = 0;
	} else if (a->size == 0 && a->source != SOURCE_LINES) {
		a->source = SOURCE_NONE;
	}
	send_more(a, h);
}

static void send_json(struct answer *a, int status, json_t *document)
{
	document_print(document, &a->text);
	a->source = SOURCE_TEXT;
	a->size = a->text.n;
	begin(a, status, "application/json");
}

static void refuse(struct answer *a, int status, const char *why)
{
	send_json(a, status, document_error(why));
}

static void send_echo(struct answer *a)
{
	uint8_t sha256[HASH_SIZE];
	hash_stream_end(a->hash, sha256);
	a->hash = NULL;
	send_json(a, 200, document_echo(a->request, a->authority, buf_span(&a->kept), a->received, sha256));
}

static void on_delay(struct timer *t)
{
	send_echo(container_of(t, struct answer, timer));
}

/* ---- what was asked ---- */

/* The rest of a path behind prefix, without the query. */
static bool rest_of(struct span path, const char *prefix, struct span *rest)
{
	if (!span_starts(path, span_of(prefix)))
		return false;
	*rest = span_from(path, strlen(prefix));
	return true;
}

static bool number_of(struct span s, uint64_t max, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || *n > max)
			return false;
		*n = *n * 10 + (uint64_t)(s.p[i] - '0');
	}
	return s.n > 0 && *n <= max;
}

static uint64_t seed_of(struct span query)
{
	struct span pair;
	uint64_t seed = 0;
	while (span_cut(&query, '&', &pair))
		if (span_starts(pair, SPAN("seed=")) && number_of(span_from(pair, 5), UINT64_MAX / 16, &seed))
			return seed;
	return 0;
}

static void delay(struct answer *a, struct span text)
{
	char copy[16] = "", *end;
	memcpy(copy, text.p, text.n < sizeof copy - 1 ? text.n : sizeof copy - 1);
	double seconds = strtod(copy, &end);
	if (end == copy || *end || !(seconds >= 0 && seconds <= DELAY_MAX))
		refuse(a, 400, "a delay is a number of seconds, at most 10");
	else
		timer_start(a->loop, &a->timer, (uint64_t)(seconds * 1000), on_delay);
}

static bool is_echo(struct span path)
{
	return span_is(path, SPAN("/get")) || span_is(path, SPAN("/post")) || span_is(path, SPAN("/put")) ||
	       span_is(path, SPAN("/anything"));
}

/* httpbin's paths that are called after a method take only that. */
static bool method_fits(const struct head *h, struct span path)
{
	if (span_is(path, SPAN("/get")))
		return head_method_is(h, "GET") || head_method_is(h, "HEAD");
	if (span_is(path, SPAN("/post")))
		return head_method_is(h, "POST");
	if (span_is(path, SPAN("/put")))
		return head_method_is(h, "PUT");
	return true;
}

static void dispatch(struct answer *a)
{
	struct span query = a->request->target, path = {"", 0}, rest;
	uint64_t n;
	span_cut(&query, '?', &path);
	if (!method_fits(a->request, path)) {
		refuse(a, 405, "this path takes another method");
	} else if (is_echo(path)) {
		send_echo(a);
	} else if (span_is(path, SPAN("/headers"))) {
		send_json(a, 200, document_headers(a->request));
	} else if (rest_of(path, "/delay/", &rest)) {
		delay(a, rest);
	} else if (rest_of(path, "/status/", &rest) && number_of(rest, 599, &n) && n >= 200) {
		begin(a, (int)n, "text/plain");
	} else if (rest_of(path, "/bytes/", &rest) && number_of(rest, 1ull << 40, &n)) {
		a->source = SOURCE_NOISE;
		a->size = n;
		a->seed = seed_of(query);
		begin(a, 200, "application/octet-stream");
	} else if (rest_of(path, "/stream/", &rest) && number_of(rest, LINES_MAX, &n)) {
		a->source = SOURCE_LINES;
		a->size = n;
		begin(a, 200, "application/json");
	} else if (rest_of(path, "/posts/", &rest) && number_of(rest, 1000000, &n)) {
		send_json(a, 200, document_post((long)n));
	} else if (rest_of(path, "/users/", &rest) && rest.n > 0 && rest.n < 64) {
		send_json(a, 200, document_user(rest));
	} else {
		refuse(a, 404, "there is nothing here: see lib/demo/origin.h");
	}
}

/* ---- receiving ---- */

static void on_part(void *arg, struct part *part, const struct error *err);

static void on_continued(void *arg, const struct error *err)
{
	struct answer *a = arg;
	if (err)
		free_answer(a, err);
	else
		leg_read(a->leg, on_part, a);
}

static void take(struct answer *a, struct block *b)
{
	if (!b)
		return;
	a->received += b->len;
	hash_stream_add(a->hash, block_span(b));
	buf_add(&a->kept, b->data, b->len); /* what is too long is not echoed */
	block_put(b);
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct answer *a = arg;
	if (!part) {
		free_answer(a, err);
		return;
	}
	take(a, part->data);
	if (part->end)
		dispatch(a);
	else
		leg_read(a->leg, on_part, a);
}

void answer_start(struct loop *l, struct list *all, const char *authority, struct leg *leg,
		  const struct part *part)
{
	struct answer *a = mem_zero(sizeof *a);
	a->loop = l;
	a->leg = leg;
	a->authority = authority;
	a->request = part->head;
	a->hash = hash_stream_start();
	buf_init(&a->kept, KEPT_MAX);
	buf_init(&a->text, DOCUMENT_MAX);
	list_append(all, &a->link);
	take(a, part->data);
	if (part->end) {
		dispatch(a);
	} else if (a->request->expect_continue) {
		head_init_response(&a->head, 100, SPAN("Continue"));
		a->part = (struct part){.head = &a->head};
		leg_send(leg, &a->part, on_continued, a);
	} else {
		leg_read(leg, on_part, a);
	}
}

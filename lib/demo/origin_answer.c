#include "demo/origin_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "demo/noise.h"
#include "demo/origin.h"
#include "demo/origin_document.h"
#include "demo/origin_route.h"
#include "tls/hash.h"

#define KEPT_MAX BLOCK_SIZE /* of a request's body, to be echoed */

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

static void answer(struct answer *a)
{
	struct route r;
	route_of(a->request, &r);
	switch (r.what) {
	case ROUTE_ECHO:
		if (r.delay_ms)
			timer_start(a->loop, &a->timer, r.delay_ms, on_delay);
		else
			send_echo(a);
		break;
	case ROUTE_HEADERS:
		send_json(a, 200, document_headers(a->request));
		break;
	case ROUTE_STATUS:
		begin(a, r.status, "text/plain");
		break;
	case ROUTE_BYTES:
		a->source = SOURCE_NOISE;
		a->size = r.number;
		a->seed = r.seed;
		begin(a, 200, "application/octet-stream");
		break;
	case ROUTE_STREAM:
		a->source = SOURCE_LINES;
		a->size = r.number;
		begin(a, 200, "application/json");
		break;
	case ROUTE_POST:
		send_json(a, 200, document_post((long)r.number));
		break;
	case ROUTE_USER:
		send_json(a, 200, document_user(r.name));
		break;
	case ROUTE_NONE:
		send_json(a, r.status, document_error(r.why));
		break;
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
		answer(a);
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
		answer(a);
	} else if (a->request->expect_continue) {
		head_init_response(&a->head, 100, SPAN("Continue"));
		a->part = (struct part){.head = &a->head};
		leg_send(leg, &a->part, on_continued, a);
	} else {
		leg_read(leg, on_part, a);
	}
}

#include "http/reader.h"

#include <stdlib.h>

#include "base/mem.h"

/*
 * A head is copied out of the block it came in: it is a few hundred bytes, and the block can
 * then be handed on with the body bytes that came behind it, without a copy of those.
 */
struct reader_head {
	struct head head;
	struct body body;
	char bytes[];
};

void reader_init(struct reader *r, struct stream *s, enum head_kind kind, const struct parse_limits *limits,
		 void (*on_started)(void *owner), void *owner)
{
	*r = (struct reader){
		.stream = s, .limits = limits, .kind = kind, .on_started = on_started, .owner = owner};
	buf_init(&r->partial,
		 HEAD_MAX_BYTES +
			 sizeof "\r\n"); /* so that one too long shows: an empty line may go before */
}

void reader_free(struct reader *r)
{
	reader_next(r, ASKED_OTHER);
	buf_free(&r->partial);
}

static void free_head(struct reader *r)
{
	if (r->head)
		body_free(&r->head->body);
	free(r->head);
	r->head = NULL;
}

void reader_next(struct reader *r, enum parse_asked asked)
{
	free_head(r);
	buf_free(&r->partial);
	r->scan = (struct head_scan){0};
	r->state = READER_HEAD;
	r->asked = asked;
	r->body_bytes = 0;
}

void reader_cancel(struct reader *r)
{
	if (!r->fn)
		return;
	r->fn = NULL;
	stream_read_cancel(r->stream);
}

void reader_go_raw(struct reader *r)
{
	r->state = READER_RAW;
}

static void on_stream(void *arg, struct block *b, const struct error *err);

static void deliver(struct reader *r)
{
	leg_read_fn *fn = r->fn;
	r->fn = NULL;
	fn(r->arg, &r->part, NULL);
}

static void fail(struct reader *r, const struct error *err)
{
	leg_read_fn *fn = r->fn;
	r->fn = NULL;
	r->failed = true;
	r->state = READER_DONE;
	fn(r->arg, NULL, err);
}

/* ---- the body ---- */

/* Takes b, and what is behind the end of the message back to the stream. */
static void feed_body(struct reader *r, struct block *b)
{
	struct error err;
	struct block *behind = NULL;
	enum body_result result = body_feed(&r->head->body, b, &behind, &err);
	if (behind)
		stream_unread(r->stream, behind);
	if (result == BODY_BAD) {
		block_put(b);
		fail(r, &err);
		return;
	}
	if (b->len) {
		r->part.data = b;
		r->body_bytes += b->len;
	} else {
		block_put(b);
	}
	if (result == BODY_END) {
		r->part.end = true;
		r->part.trailers = body_trailers(&r->head->body);
		r->state = READER_DONE;
	}
	if (r->part.data || r->part.end || r->part.head)
		deliver(r);
	else
		stream_read(r->stream, on_stream, r);
}

static void feed_raw(struct reader *r, struct block *b)
{
	r->part.data = b;
	r->body_bytes += b->len;
	deliver(r);
}

/* ---- the head ---- */

static bool parse(struct reader *r, struct span bytes, struct error *err)
{
	struct reader_head *rh = mem_alloc(sizeof *rh + bytes.n);
	memcpy(rh->bytes, bytes.p, bytes.n);
	rh->body = (struct body){0};
	free_head(r); /* of a 1xx */
	r->head = rh;
	struct span own = {rh->bytes, bytes.n};
	return r->kind == HEAD_REQUEST ? parse_request_head(own, r->limits, &rh->head, err)
				       : parse_response_head(own, r->asked, r->limits, &rh->head, err);
}

/* The head is whole: b holds what came behind it, maybe nothing. */
static void got_head(struct reader *r, struct span bytes, struct block *b)
{
	struct error err;
	bool ok = parse(r, bytes, &err);
	buf_free(&r->partial);
	r->scan = (struct head_scan){0};
	if (!ok) {
		block_put(b);
		fail(r, &err);
		return;
	}
	const struct head *h = &r->head->head;
	r->part = (struct part){.head = &r->head->head};
	bool interim = h->kind == HEAD_RESPONSE && h->status < 200 && h->status != 101;
	if (interim) {
		stream_unread(r->stream, b);
		deliver(r);
	} else if (h->framing == BODY_RAW) {
		r->state = READER_RAW;
		stream_unread(r->stream, b);
		deliver(r);
	} else if (h->framing == BODY_NONE) {
		r->part.end = true;
		r->state = READER_DONE;
		body_init(&r->head->body, h, r->limits);
		stream_unread(r->stream, b);
		deliver(r);
	} else {
		r->state = READER_BODY;
		body_init(&r->head->body, h, r->limits);
		feed_body(r, b);
	}
}

static void feed_head(struct reader *r, struct block *b)
{
	struct error err;
	struct span bytes = block_span(b);
	size_t before = r->partial.n;
	if (before) { /* the head comes in pieces */
		size_t room = r->partial.cap - before;
		buf_add(&r->partial, b->data, b->len < room ? b->len : room);
		bytes = buf_span(&r->partial);
	}
	switch (parse_find_head(&r->scan, bytes, r->kind, r->limits, &err)) {
	case HEAD_WHOLE: {
		struct head_scan scan = r->scan;
		block_take(b, scan.end - before);
		got_head(r, (struct span){bytes.p + scan.start, scan.end - scan.start}, b);
		return;
	}
	case HEAD_MORE:
		if (!before)
			buf_add(&r->partial, b->data, b->len);
		block_put(b);
		if (!before && r->on_started)
			r->on_started(r->owner);
		stream_read(r->stream, on_stream, r);
		return;
	case HEAD_BAD:
		block_put(b);
		fail(r, &err);
		return;
	}
}

/* ---- the stream ---- */

static void ended(struct reader *r)
{
	struct error err;
	bool request = r->kind == HEAD_REQUEST;
	if (r->state == READER_RAW || (r->state == READER_BODY && r->head->head.framing == BODY_CLOSE)) {
		r->part.end = true;
		r->state = READER_DONE;
		deliver(r);
		return;
	}
	if (r->state == READER_HEAD && r->partial.n == 0) {
		leg_read_fn *fn = r->fn;
		r->fn = NULL;
		r->state = READER_DONE;
		fn(r->arg, NULL, NULL);
		return;
	}
	error_set(&err, request ? ERR_CLIENT_GONE : ERR_TRUNCATED,
		  "the connection ended in the middle of a %s", r->state == READER_HEAD ? "head" : "body");
	fail(r, &err);
}

static void on_stream(void *arg, struct block *b, const struct error *err)
{
	struct reader *r = arg;
	r->part = (struct part){0};
	if (err)
		fail(r, err);
	else if (!b)
		ended(r);
	else if (r->state == READER_HEAD)
		feed_head(r, b);
	else if (r->state == READER_BODY)
		feed_body(r, b);
	else
		feed_raw(r, b);
}

void reader_read(struct reader *r, leg_read_fn *fn, void *arg)
{
	CHECK(!r->fn && !r->failed && r->state != READER_DONE);
	r->fn = fn;
	r->arg = arg;
	stream_read(r->stream, on_stream, r);
}

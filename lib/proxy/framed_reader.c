#include <stdlib.h>

#include "base/be.h"
#include "base/mem.h"
#include "proxy/framed.h"

/*
 * A payload's buffer of that size stays with a connection between two messages; larger ones are given back.
 */
#define PAYLOAD_KEPT 2048

struct framed_head {
	struct head head;
	char bytes[];
};

void framed_reader_init(struct framed_reader *r, struct stream *s, enum head_kind kind,
			const struct parse_limits *limits, void (*on_ping)(void *owner, struct span payload),
			void *owner)
{
	*r = (struct framed_reader){
		.stream = s, .limits = limits, .kind = kind, .on_ping = on_ping, .owner = owner};
	buf_init(&r->payload, HEAD_MAX_BYTES + FRAME_ID);
}

void framed_reader_free(struct framed_reader *r)
{
	framed_read_next(r, ASKED_OTHER);
	buf_free(&r->payload);
}

void framed_read_next(struct framed_reader *r, enum parse_asked asked)
{
	free(r->head);
	free(r->trailers);
	if (r->payload.room > PAYLOAD_KEPT)
		buf_free(&r->payload);
	r->head = NULL;
	r->trailers = NULL;
	r->state = FRAMED_HEAD;
	r->asked = asked;
	r->bare_ok = false;
	r->body_bytes = 0;
}

void framed_read_raw(struct framed_reader *r)
{
	r->state = FRAMED_RAW;
}

void framed_read_cancel(struct framed_reader *r)
{
	if (!r->fn)
		return;
	r->fn = NULL;
	stream_read_cancel(r->stream);
}

static void fail(struct framed_reader *r, const struct error *err)
{
	leg_read_fn *fn = r->fn;
	r->fn = NULL;
	r->failed = true;
	r->state = FRAMED_DONE;
	fn(r->arg, NULL, err);
}

static bool bad_order(const struct framed_reader *r, struct error *err)
{
	static const char *const at[] = {"before a head", "in a body", "in a raw stream", "behind the end"};
	return error_set(err, ERR_PROTOCOL, "a frame of type %u %s", r->type, at[r->state]);
}

/* Does the body keep to what its head announced? */
static bool fits(const struct framed_reader *r, bool end, struct error *err)
{
	if (r->state == FRAMED_RAW || !r->head)
		return true;
	const struct head *h = &r->head->head;
	if (h->framing == BODY_NONE && r->body_bytes)
		return error_set(err, ERR_PROTOCOL, "data behind a head that has no body");
	if (h->framing == BODY_LENGTH &&
	    (r->body_bytes > h->body_length || (end && r->body_bytes != h->body_length)))
		return error_set(err, ERR_PROTOCOL, "a body that is not as long as its Content-Length");
	return true;
}

/* ---- frames that are taken whole ---- */

static bool take_head(struct framed_reader *r, struct error *err)
{
	struct span payload = buf_span(&r->payload);
	bool request = r->kind == HEAD_REQUEST;
	if (request) {
		r->id = be_u64(payload.p);
		payload = span_from(payload, FRAME_ID);
	}
	struct framed_head *fh = mem_alloc(sizeof *fh + payload.n);
	memcpy(fh->bytes, payload.p, payload.n);
	free(r->head);
	r->head = fh;
	struct span own = {fh->bytes, payload.n};
	if (!(request ? parse_request_head(own, r->limits, &fh->head, err)
		      : parse_response_head(own, r->asked, r->limits, &fh->head, err)))
		return false;
	r->part.head = &fh->head;
	bool interim = !request && fh->head.status < 200 && fh->head.status != 101;
	if (!interim)
		r->state = !request && fh->head.framing == BODY_RAW ? FRAMED_RAW : FRAMED_BODY;
	return true;
}

/* A head of the kind behind which, or behind whose answer, there may be no frames. */
static bool take_raw_head(struct framed_reader *r, struct error *err)
{
	bool request = r->kind == HEAD_REQUEST;
	if (!request && !r->bare_ok)
		return bad_order(r, err);
	if (!take_head(r, err))
		return false;
	if (request ? !head_method_is(r->part.head, "CONNECT") : r->state != FRAMED_RAW)
		return error_set(err, ERR_PROTOCOL, "a frame of type %u with another head", r->type);
	r->bare_ok = true;
	if (!request)
		r->state = FRAMED_BARE;
	return true;
}

static bool take_end(struct framed_reader *r, struct error *err)
{
	if (r->payload.n) {
		if (r->state == FRAMED_RAW)
			return error_set(err, ERR_PROTOCOL, "trailers in a raw stream");
		r->trailers = mem_alloc(sizeof *r->trailers);
		r->trailers->count = 0;
		if (!parse_trailers(buf_span(&r->payload), r->kind, r->limits, r->trailers, err))
			return false;
		r->part.trailers = r->trailers;
	}
	if (!fits(r, true, err))
		return false;
	r->part.end = true;
	r->state = FRAMED_DONE;
	return true;
}

static bool take_frame(struct framed_reader *r, struct error *err)
{
	switch (r->type) {
	case FRAME_REQUEST:
	case FRAME_RESPONSE:
		if (r->state != FRAMED_HEAD || (r->type == FRAME_REQUEST) != (r->kind == HEAD_REQUEST))
			return bad_order(r, err);
		return take_head(r, err);
	case FRAME_REQUEST_RAW:
	case FRAME_RESPONSE_RAW:
		if (r->state != FRAMED_HEAD || (r->type == FRAME_REQUEST_RAW) != (r->kind == HEAD_REQUEST))
			return bad_order(r, err);
		return take_raw_head(r, err);
	case FRAME_END:
		if (r->state != FRAMED_BODY && r->state != FRAMED_RAW)
			return bad_order(r, err);
		return take_end(r, err);
	case FRAME_ERROR:
		frame_error_parse(buf_span(&r->payload), err);
		return false;
	case FRAME_PING:
	case FRAME_PONG:
		if (!r->on_ping || r->state != FRAMED_HEAD ||
		    (r->type == FRAME_PING) != (r->kind == HEAD_REQUEST))
			return bad_order(r, err);
		r->pinged = true;
		return true;
	case FRAME_WATCH:
		if (!r->on_ping || r->state != FRAMED_HEAD || r->kind != HEAD_REQUEST)
			return bad_order(r, err);
		r->pinged = true;
		return true;
	case FRAME_TRUNK:
		if (!r->on_ping || r->state != FRAMED_HEAD || r->kind != HEAD_REQUEST ||
		    r->payload.n != FRAME_TRUNK_HELLO)
			return bad_order(r, err);
		r->pinged = true;
		return true;
	case FRAME_LOG:
	case FRAME_METRICS:
		return bad_order(r, err);
	case FRAME_DATA:
		break;
	}
	return true;
}

/* ---- a block of bytes ---- */

/*
 * The data of several DATA frames in one block are pushed together, so that they leave in one
 * write: n bytes at `at` join the *run at the front. Whichever is shorter moves over the header
 * between them, so the work is bounded by n. Returns where to go on.
 */
static size_t join(struct block *b, size_t *run, size_t at, size_t n)
{
	size_t before = *run, gap = at - before;
	*run += n;
	if (before >= n) {
		memmove(b->data + before, b->data + at, n);
		return at + n;
	}
	memmove(b->data + gap, b->data, before);
	block_take(b, gap);
	return *run;
}

static bool begin_frame(struct framed_reader *r, struct error *err)
{
	r->header_got = 0;
	buf_clear(&r->payload);
	if (!frame_header_parse(r->header, &r->type, &r->left, err))
		return false;
	if (r->type == FRAME_DATA)
		return r->state == FRAMED_BODY || r->state == FRAMED_RAW || bad_order(r, err);
	return true;
}

/*
 * Goes through b until its end, or the end of the message, or the head of one. *run: bytes of
 * data at the front of b; *at: how far b was looked at.
 */
static bool walk(struct framed_reader *r, struct block *b, size_t *run, size_t *at, struct error *err)
{
	bool resumed = r->left > 0; /* a frame whose head was in an earlier block */
	while (*at < b->len || resumed) {
		if (!resumed) {
			r->header[r->header_got++] = b->data[(*at)++];
			if (r->header_got < FRAME_HEADER)
				continue;
			if (!begin_frame(r, err))
				return false;
		}
		resumed = false;
		size_t n = b->len - *at < r->left ? b->len - *at : r->left;
		r->left -= n;
		if (r->type == FRAME_DATA) {
			*at = join(b, run, *at, n);
			r->body_bytes += n;
			if (!fits(r, false, err))
				return false;
			if (r->left)
				return true;
			continue;
		}
		buf_add(&r->payload, b->data + *at, n);
		*at += n;
		if (r->left)
			return true;
		if (!take_frame(r, err))
			return false;
		if (r->part.end || r->pinged || (r->part.head && r->state == FRAMED_HEAD) ||
		    r->state == FRAMED_RAW || r->state == FRAMED_BARE)
			return true;
	}
	return true;
}

static void on_stream(void *arg, struct block *b, const struct error *err);

/* What is behind `at` belongs to the stream again: to the next message. */
static void give_back(struct framed_reader *r, struct block *b, size_t at)
{
	struct block *rest = block_get(b->pool);
	rest->len = b->len - at;
	memcpy(rest->data, b->data + at, rest->len);
	b->len = at;
	stream_unread(r->stream, rest);
}

/*
 * There is something to hand out. A head without a body waits for its END, which a peer sends in the same
 * write: behind a switch to raw it would be taken for the end of the raw direction.
 */
static bool is_whole(const struct framed_reader *r)
{
	const struct part *p = &r->part;
	if (p->head && p->head->framing == BODY_NONE && r->state == FRAMED_BODY)
		return false;
	return p->head || p->data || p->end;
}

static void feed(struct framed_reader *r, struct block *b)
{
	struct error err;
	size_t run = 0, at = 0;
	if (!walk(r, b, &run, &at, &err)) {
		block_put(b);
		fail(r, &err);
		return;
	}
	if (at < b->len && run == 0) {
		block_take(b, at);
		stream_unread(r->stream, b);
		b = NULL;
	} else if (at < b->len) {
		give_back(r, b, at);
	}
	if (b) {
		b->len = run;
		if (run)
			r->part.data = b;
		else
			block_put(b);
	}
	if (is_whole(r)) {
		leg_read_fn *fn = r->fn;
		r->fn = NULL;
		fn(r->arg, &r->part, NULL);
		return;
	}
	stream_read(r->stream, on_stream, r);
	if (r->pinged) { /* last, for r may be gone afterwards */
		r->pinged = false;
		r->on_ping(r->owner, buf_span(&r->payload));
	}
}

static void on_stream(void *arg, struct block *b, const struct error *err)
{
	struct framed_reader *r = arg;
	struct error cut;
	if (b) {
		feed(r, b);
	} else if (err) {
		fail(r, err);
	} else if (r->state == FRAMED_HEAD && r->header_got == 0 && r->left == 0) {
		leg_read_fn *fn = r->fn;
		r->fn = NULL;
		r->state = FRAMED_DONE;
		fn(r->arg, NULL, NULL);
	} else {
		error_set(&cut, r->kind == HEAD_REQUEST ? ERR_CLIENT_GONE : ERR_TRUNCATED,
			  "the connection ended in the middle of an exchange");
		fail(r, &cut);
	}
}

void framed_read(struct framed_reader *r, leg_read_fn *fn, void *arg)
{
	CHECK(!r->fn && !r->failed && r->state != FRAMED_DONE && r->state != FRAMED_BARE);
	r->fn = fn;
	r->arg = arg;
	r->part = (struct part){0};
	stream_read(r->stream, on_stream, r);
}

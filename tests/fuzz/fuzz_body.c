/*
 * Any bytes as a chunked body. The first byte says in what pieces they come; the pieces must not
 * matter. And llhttp, which did not write our decoder, must take what we take and find the same in it.
 */
#include <llhttp.h>
#include <stdlib.h>

#include "base/check.h"
#include "http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	enum body_result result;
	struct buf payload;
	size_t behind; /* bytes that were not eaten */
	size_t trailers;
};

static struct outcome decode(struct block_pool *pool, struct span text, size_t step)
{
	struct parse_limits limits = PARSE_LIMITS_MAX;
	struct outcome o = {.result = BODY_MORE};
	struct body body;
	struct head h;

	head_init_request(&h, SPAN("POST"), SPAN("/"));
	h.framing = BODY_CHUNKED;
	buf_init(&o.payload, 1 << 22);
	body_init(&body, &h, &limits);
	while (text.n && o.result == BODY_MORE) {
		struct block *b = block_get(pool), *behind;
		struct error err;
		b->len = text.n < step ? text.n : step;
		memcpy(b->data, text.p, b->len);
		text = span_from(text, b->len);
		o.result = body_feed(&body, b, &behind, &err);
		CHECK(!behind || (o.result == BODY_END && behind->len > 0));
		if (o.result == BODY_BAD)
			CHECK(err.kind == ERR_BAD_REQUEST || err.kind == ERR_HEAD_SIZE);
		o.behind = text.n + (behind ? behind->len : 0);
		buf_add(&o.payload, b->data, b->len);
		block_put(behind);
		block_put(b);
	}
	if (o.result == BODY_END && body_trailers(&body))
		o.trailers = body_trailers(&body)->count;
	body_free(&body);
	return o;
}

/* ---- the other opinion ---- */

struct other {
	struct buf payload;
	bool complete;
};

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	struct other *o = p->data;
	buf_add(&o->payload, at, n);
	return 0;
}

static int on_message_complete(llhttp_t *p)
{
	struct other *o = p->data;
	o->complete = true;
	return HPE_PAUSED;
}

static void compare(struct span text, const struct outcome *ours)
{
	static const char head[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const llhttp_settings_t settings = {.on_body = on_body,
						   .on_message_complete = on_message_complete};
	struct other o = {.complete = false};
	llhttp_t p;

	buf_init(&o.payload, 1 << 22);
	llhttp_init(&p, HTTP_REQUEST, &settings);
	p.data = &o;
	CHECK(llhttp_execute(&p, head, sizeof head - 1) == HPE_OK);
	llhttp_errno_t result = llhttp_execute(&p, text.p, text.n);
	if (ours->result == BODY_END) {
		CHECK(result == HPE_PAUSED && o.complete);
		CHECK(llhttp_get_error_pos(&p) == text.p + text.n - ours->behind);
		CHECK(span_is(buf_span(&o.payload), buf_span(&ours->payload)));
	} else if (ours->result == BODY_MORE) {
		CHECK(!o.complete);
	}
	buf_free(&o.payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > BLOCK_SIZE)
		return 0;
	struct block_pool pool;
	struct span text = {(const char *)data + 1, size - 1};
	block_pool_init(&pool, 4);
	struct outcome whole = decode(&pool, text, BLOCK_SIZE),
		       pieces = decode(&pool, text, data[0] % 64 + 1u);
	CHECK(whole.result == pieces.result);
	CHECK(span_is(buf_span(&whole.payload), buf_span(&pieces.payload)));
	if (whole.result == BODY_END)
		CHECK(whole.behind == pieces.behind && whole.trailers == pieces.trailers);
	compare(text, &whole);
	buf_free(&whole.payload);
	buf_free(&pieces.payload);
	CHECK(pool.used == 0);
	block_pool_free(&pool);
	return 0;
}

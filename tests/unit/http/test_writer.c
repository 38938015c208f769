/*
 * Messages to bytes: what comes in one part leaves in one write, and what its head does not allow is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/writer.h"
#include "support/mem_stream.h"
#include "support/until.h"
#include "support/wire.h"

struct bench {
	struct loop *loop;
	struct stream *near;
	struct writer w;
	struct wire far;
	unsigned sent;
	enum error_kind kind; /* of the last send */
};

static void on_sent(void *arg, const struct error *err)
{
	struct bench *b = arg;
	b->sent++;
	b->kind = err ? err->kind : ERR_NONE;
}

static void start(struct bench *b, size_t capacity)
{
	struct stream *far;
	*b = (struct bench){.loop = loop_new()};
	mem_pair(b->loop, capacity, &b->near, &far);
	writer_init(&b->w, b->near);
	wire_start(&b->far, far, 4096);
}

static void end(struct bench *b)
{
	stream_close(b->near);
	writer_free(&b->w);
	wire_free(&b->far);
	assert_int_equal(loop_blocks(b->loop)->used, 0);
	loop_free(b->loop);
}

/* head NULL: none; data NULL: none. */
static enum error_kind send(struct bench *b, const struct head *head, const char *data, bool last,
			    const struct head *trailers)
{
	struct part part = {.end = last, .trailers = trailers};
	unsigned before = b->sent;
	if (data) {
		part.data = block_get(loop_blocks(b->loop));
		part.data->len = strlen(data);
		memcpy(part.data->data, data, part.data->len);
	}
	writer_send(&b->w, head, &part, on_sent, b);
	assert_int_equal(b->sent, before); /* never from inside the call */
	UNTIL(b->loop, b->sent > before);
	block_put(part.data);
	return b->kind;
}

static struct head response(enum body_framing framing, uint64_t length)
{
	struct head h;
	head_init_response(&h, 200, SPAN("OK"));
	h.framing = framing;
	h.body_length = length;
	return h;
}

static const size_t capacities[] = {1, 7, 4096};

static void test_chunks(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(capacities); i++) {
		struct bench b;
		struct head h = response(BODY_CHUNKED, 0), trailers;
		start(&b, capacities[i]);
		head_init_response(&trailers, 200, SPAN(""));
		head_add(&trailers, SPAN("A"), SPAN("b"));
		assert_int_equal(send(&b, &h, "hello", false, NULL), ERR_NONE);
		assert_int_equal(send(&b, NULL, "0123456789abcdef", false, NULL), ERR_NONE);
		assert_int_equal(send(&b, NULL, "x", true, &trailers), ERR_NONE);
		UNTIL(b.loop, wire_heard(&b.far, "A: b\r\n\r\n"));
		assert_string_equal(buf_text(&b.far.heard),
				    "HTTP/1.1 200 OK\r\n\r\n5\r\nhello\r\n10\r\n"
				    "0123456789abcdef\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n");
		assert_int_equal(b.w.body_bytes, 22);
		/* The next message on the same connection, whole in one part and in one write. */
		writer_next(&b.w);
		wire_forget(&b.far);
		assert_int_equal(send(&b, &h, "one", true, NULL), ERR_NONE);
		UNTIL(b.loop, wire_heard(&b.far, "3\r\none\r\n0\r\n\r\n"));
		end(&b);
	}
}

static void test_length(void **state)
{
	(void)state;
	static const struct {
		uint64_t length;
		const char *first, *second;
		enum error_kind kind;
	} rows[] = {
		{5, "hello", NULL, ERR_NONE},	   {5, "he", "llo", ERR_NONE},
		{5, "he", "llo!", ERR_INTERNAL},   {5, "he", "ll", ERR_INTERNAL},
		{5, "hello!", NULL, ERR_INTERNAL}, {5, NULL, NULL, ERR_INTERNAL},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct bench b;
		struct head h = response(BODY_LENGTH, rows[i].length);
		start(&b, 7);
		enum error_kind kind = send(&b, &h, rows[i].first, !rows[i].second, NULL);
		if (rows[i].second)
			kind = send(&b, NULL, rows[i].second, true, NULL);
		assert_int_equal(kind, rows[i].kind);
		end(&b);
	}
	struct bench b;
	struct head h = response(BODY_NONE, 0);
	start(&b, 7);
	assert_int_equal(send(&b, &h, "x", true, NULL), ERR_INTERNAL);
	end(&b);
}

/* Nothing of a head that must not be written gets out. */
static void test_bad_head(void **state)
{
	(void)state;
	struct bench b;
	struct head h = response(BODY_NONE, 0);
	head_add(&h, SPAN("A"), SPAN("b\r\nEvil: 1"));
	start(&b, 4096);
	assert_int_equal(send(&b, &h, NULL, true, NULL), ERR_INTERNAL);
	assert_int_equal(b.far.heard.n, 0);
	end(&b);
}

/* The end of a raw message is the end of the direction; that of one until the close is not. */
static void test_raw(void **state)
{
	(void)state;
	for (int raw = 0; raw < 2; raw++) {
		struct bench b;
		struct head h = response(raw ? BODY_RAW : BODY_CLOSE, 0);
		start(&b, 7);
		assert_int_equal(send(&b, &h, "hello", false, NULL), ERR_NONE);
		assert_int_equal(send(&b, NULL, NULL, true, NULL), ERR_NONE);
		for (int i = 0; i < 10; i++)
			loop_step(b.loop, 0);
		assert_string_equal(buf_text(&b.far.heard), "HTTP/1.1 200 OK\r\n\r\nhello");
		assert_int_equal(b.far.heard_end, raw);
		end(&b);
	}
}

static void test_broken(void **state)
{
	(void)state;
	static const size_t whole = sizeof "HTTP/1.1 200 OK\r\n\r\n5\r\nhello\r\n0\r\n\r\n" - 1;
	for (size_t at = 0; at < whole; at++) {
		struct bench b;
		struct head h = response(BODY_CHUNKED, 0);
		start(&b, at % 2 ? 7 : 4096);
		mem_fail(b.near, at);
		assert_int_equal(send(&b, &h, "hello", true, NULL), ERR_RESET);
		end(&b);
	}
}

/* Closed while it writes: what was lent is the lender's again, and no callback comes. */
static void test_closed_in_write(void **state)
{
	(void)state;
	struct bench b;
	struct head h = response(BODY_CLOSE, 0);
	struct part part = {.end = true};
	start(&b, 1);
	wire_deafen(&b.far);
	part.data = block_get(loop_blocks(b.loop));
	part.data->len = 1000;
	memset(part.data->data, 'x', 1000);
	writer_send(&b.w, &h, &part, on_sent, &b);
	for (int i = 0; i < 5; i++)
		loop_step(b.loop, 0);
	stream_close(b.near);
	writer_free(&b.w);
	block_put(part.data);
	assert_int_equal(b.sent, 0);
	wire_free(&b.far);
	assert_int_equal(loop_blocks(b.loop)->used, 0);
	loop_free(b.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),	 cmocka_unit_test(test_length),
		cmocka_unit_test(test_bad_head), cmocka_unit_test(test_raw),
		cmocka_unit_test(test_broken),	 cmocka_unit_test(test_closed_in_write),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

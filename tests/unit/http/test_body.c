/* Bodies: the same whatever the pieces they come in, and nothing that two readers could end in two places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "http/body.h"

static struct block_pool pool;
static const struct parse_limits limits = {HEAD_MAX_BYTES, 100, HEAD_MAX_BYTES};

static struct head framed(enum body_framing framing, uint64_t length)
{
	struct head h;
	head_init_request(&h, SPAN("POST"), SPAN("/"));
	h.framing = framing;
	h.body_length = length;
	return h;
}

struct outcome {
	enum body_result result;
	enum error_kind kind;
	struct buf payload, behind;
	size_t trailers;
	size_t deliveries; /* blocks that held payload */
};

static void outcome_free(struct outcome *o)
{
	buf_free(&o->payload);
	buf_free(&o->behind);
}

static void feed(struct body *body, struct span piece, struct outcome *o)
{
	struct block *b = block_get(&pool), *behind;
	struct error err;
	memcpy(b->data, piece.p, piece.n);
	b->len = piece.n;
	o->result = body_feed(body, b, &behind, &err);
	if (o->result == BODY_BAD)
		o->kind = err.kind;
	o->deliveries += b->len > 0;
	buf_add(&o->payload, b->data, b->len);
	if (behind) {
		assert_int_equal(o->result, BODY_END);
		buf_add(&o->behind, behind->data, behind->len);
	}
	block_put(b);
	block_put(behind);
}

/* In pieces of `first` bytes once, then `size` at a time. What comes behind the end is kept, too. */
static struct outcome decode(struct span text, const struct head *h, size_t first, size_t size)
{
	struct outcome o = {.result = BODY_MORE};
	struct body body;

	buf_init(&o.payload, 1 << 20);
	buf_init(&o.behind, 1 << 20);
	body_init(&body, h, &limits);
	while (text.n && o.result == BODY_MORE) {
		size_t n = first ? first : size;
		first = 0;
		if (n > text.n)
			n = text.n;
		feed(&body, (struct span){text.p, n}, &o);
		text = span_from(text, n);
	}
	buf_add_span(&o.behind, text);
	if (o.result == BODY_END && body_trailers(&body))
		o.trailers = body_trailers(&body)->count;
	body_free(&body);
	return o;
}

/* Every way to cut it gives what the whole gives. */
static void check(struct span text, const struct head *h, enum body_result result, const char *payload,
		  const char *behind)
{
	static const size_t sizes[] = {1, 7, 4096};
	for (size_t i = 0; i < countof(sizes) + text.n; i++) {
		struct outcome o = i < countof(sizes) ? decode(text, h, 0, sizes[i])
						      : decode(text, h, i - countof(sizes), BLOCK_SIZE);
		if (o.result != result)
			fail_msg("%d instead of %d for: %.*s", o.result, result, SPAN_ARG(text));
		if (result == BODY_BAD)
			assert_int_equal(o.kind, ERR_BAD_REQUEST);
		if (payload)
			assert_string_equal(buf_text(&o.payload), payload);
		if (behind)
			assert_string_equal(buf_text(&o.behind), behind);
		outcome_free(&o);
	}
}

static void test_length(void **state)
{
	(void)state;
	struct head h = framed(BODY_LENGTH, 5);
	check(SPAN("hello"), &h, BODY_END, "hello", "");
	check(SPAN("helloGET / HTTP/1.1"), &h, BODY_END, "hello", "GET / HTTP/1.1");
	check(SPAN("hell"), &h, BODY_MORE, "hell", "");
	h = framed(BODY_CLOSE, 0);
	check(SPAN("hello"), &h, BODY_MORE, "hello", "");
}

static void test_no_body(void **state)
{
	(void)state;
	struct head h = framed(BODY_NONE, 0);
	struct outcome o = decode(SPAN("GET / HTTP/1.1"), &h, 0, 4096);
	assert_int_equal(o.result, BODY_END);
	assert_string_equal(buf_text(&o.behind), "GET / HTTP/1.1");
	assert_int_equal(o.payload.n, 0);
	outcome_free(&o);
}

#define CHUNK "5\r\nhello\r\n"
#define LAST  "0\r\n\r\n"

static void test_chunked(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		const char *payload, *behind;
	} rows[] = {
	/* clang-format off */
#define C(text, payload, behind) {{text, sizeof(text) - 1}, payload, behind}
		C(LAST, "", ""),
		C(CHUNK LAST, "hello", ""),
		C(CHUNK "6\r\n world\r\n" LAST "GET /", "hello world", "GET /"),
		C("A\r\n0123456789\r\na\r\n0123456789\r\n" LAST, "01234567890123456789", ""),
		C("0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello", ""),
		C("2\r\n\r\n\r\n" LAST, "\r\n", ""),
		C("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello", ""),
		C("5;a=b;c;d=\"x;y \\\" \\\\ \xe9\t\"\r\nhello\r\n" LAST, "hello", ""),
		C(CHUNK "0\r\nX: 1\r\nY: 2\r\n\r\nrest", "hello", "rest"),
		/* clang-format on */
	};
	struct head h = framed(BODY_CHUNKED, 0);
	for (size_t i = 0; i < countof(rows); i++) {
		check(rows[i].text, &h, BODY_END, rows[i].payload, rows[i].behind);
		/* No beginning of it is taken for the whole. */
		for (size_t n = 0; n + strlen(rows[i].behind) < rows[i].text.n; n++) {
			struct outcome o = decode((struct span){rows[i].text.p, n}, &h, 0, BLOCK_SIZE);
			assert_int_equal(o.result, BODY_MORE);
			outcome_free(&o);
		}
	}
}

static void test_bad_chunks(void **state)
{
	(void)state;
	static const struct span rows[] = {
	/* clang-format off */
#define B(text) {text, sizeof(text) - 1}
		/* sizes */
		B("\r\nhello"), B("x\r\n"), B("0x5\r\nhello\r\n"), B("+5\r\nhello\r\n"), B("-5\r\nhello\r\n"),
		B(" 5\r\nhello\r\n"), B("5 \r\nhello\r\n"), B("5\t\r\nhello\r\n"), B("5_0\r\nhello\r\n"),
		B("5,5\r\nhello\r\n"), B("5.0\r\nhello\r\n"), B("\"5\"\r\nhello\r\n"), B("5h\r\nhello\r\n"), B("\0"),
		B("8000000000000000\r\n"), B("ffffffffffffffff\r\n"), B("10000000000000000\r\n"),
		B("10000000000000005\r\nhello\r\n"), B("00000000000000005\r\nhello\r\n"),
		/* line ends */
		B("5\nhello\r\n"), B("5\rhello\r\n"), B("5\r\rhello"), B("5\r\nhello0\r\n"), B("5\r\nhello\n0\r\n"),
		B("5\r\nhello\rX"), B("5\r\nhello!\r\n0\r\n\r\n"), B("5\r\nhello!\n0\r\n\r\n"), B("5\r\nhello\r\n\r\n0\r\n\r\n"), B(CHUNK "0\n"),
		B(CHUNK "0\r\n\n"), B(CHUNK "0\r\n\rX"), B(CHUNK "0\r\r\n"),
		/* extensions */
		B("5;\r\nhello\r\n"), B("5;=x\r\nhello\r\n"), B("5;a=\r\nhello\r\n"), B("5;a==b\r\nhello\r\n"),
		B("5;;a\r\nhello\r\n"), B("5; a\r\nhello\r\n"), B("5 ;a\r\nhello\r\n"), B("5;a =b\r\nhello\r\n"),
		B("5;a=\"x\r\nhello\r\n"), B("5;a=\"x\"y\r\n"), B("5;a=x\"y\"\r\n"), B("5;a=\"\\\r\n"),
		B("5;a\nhello\r\n"), B("5;a\x01\r\nhello\r\n"), B("5;a=\"\n\"\r\n"), B("5;\"a\"\r\n"),
		B("5;a\xe9\r\n"),
		/* trailers */
		B("0\r\nContent-Length: 5\r\n\r\n"), B("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		B("0\r\nX: 1\r\nhOST: a\r\n\r\n"), B("0\r\nX : 1\r\n\r\n"), B("0\r\nX: 1\n\r\n"), B("0\r\nX\r\n\r\n"),
		B("0\r\nX: 1\r\n 2\r\n\r\n"), B("0\r\nX: a\0\r\n\r\n"), B("0\r\n: a\r\n\r\n"), B("0\r\nGET / HTTP/1.1\r\n\r\n"),
		B("0\r\n\nX: 1\r\n\r\n"),
		/* clang-format on */
	};
	struct head h = framed(BODY_CHUNKED, 0);
	for (size_t i = 0; i < countof(rows); i++)
		check(rows[i], &h, BODY_BAD, NULL, NULL);
}

static void test_many_chunks_leave_as_one(void **state)
{
	(void)state;
	struct buf text, want;
	struct head h = framed(BODY_CHUNKED, 0);
	buf_init(&text, BLOCK_SIZE);
	buf_init(&want, BLOCK_SIZE);
	for (int i = 0; i < 3000; i++) {
		buf_printf(&text, "%x\r\n%.*s\r\n", i % 7 + 1, i % 7 + 1, "abcdefg");
		buf_printf(&want, "%.*s", i % 7 + 1, "abcdefg");
	}
	buf_add_text(&text, LAST);
	assert_false(buf_full(&text));
	struct outcome o = decode(buf_span(&text), &h, 0, BLOCK_SIZE);
	assert_int_equal(o.result, BODY_END);
	assert_int_equal(o.deliveries, 1);
	assert_string_equal(buf_text(&o.payload), buf_text(&want));
	outcome_free(&o);
	buf_free(&text);
	buf_free(&want);
}

/* The largest size there is is taken, and counted: nothing of it wraps. */
static void test_huge_chunk(void **state)
{
	(void)state;
	struct head h = framed(BODY_CHUNKED, 0);
	struct outcome o = decode(SPAN("7fffffffffffffff\r\nabc"), &h, 0, 4096);
	assert_int_equal(o.result, BODY_MORE);
	assert_string_equal(buf_text(&o.payload), "abc");
	outcome_free(&o);
}

/* n times what, behind before and in front of after. */
static struct outcome repeated(const char *before, const char *what, size_t n, const char *after)
{
	struct buf text;
	struct head h = framed(BODY_CHUNKED, 0);
	buf_init(&text, 1 << 20);
	buf_add_text(&text, before);
	while (n--)
		buf_add_text(&text, what);
	buf_add_text(&text, after);
	struct outcome o = decode(buf_span(&text), &h, 0, 4096);
	buf_free(&text);
	return o;
}

static void expect_repeated(const char *before, const char *what, size_t n, const char *after,
			    enum error_kind kind)
{
	struct outcome o = repeated(before, what, n, after);
	assert_int_equal(o.result, kind ? BODY_BAD : BODY_END);
	assert_int_equal(o.kind, kind);
	outcome_free(&o);
}

static void test_bounds(void **state)
{
	(void)state;
	expect_repeated("1;", "a", BODY_EXTENSIONS_MAX - 10, "\r\nx\r\n" LAST, ERR_NONE);
	expect_repeated("1;", "a", BODY_EXTENSIONS_MAX, "\r\nx\r\n" LAST, ERR_BAD_REQUEST);
	/* In all, not for each chunk. */
	expect_repeated("", "1;abcdefg\r\nx\r\n", BODY_EXTENSIONS_MAX / 8 + 1, LAST, ERR_BAD_REQUEST);
	expect_repeated("0\r\nX: ", "a", BODY_TRAILERS_MAX - 10, "\r\n\r\n", ERR_NONE);
	expect_repeated("0\r\nX: ", "a", BODY_TRAILERS_MAX, "\r\n\r\n", ERR_HEAD_SIZE);
	expect_repeated("0\r\n", "X: a\r\n", 100, "\r\n", ERR_NONE);
	expect_repeated("0\r\n", "X: a\r\n", 101, "\r\n", ERR_HEAD_SIZE);
}

static void test_trailers(void **state)
{
	(void)state;
	struct head h = framed(BODY_CHUNKED, 0);
	struct outcome o = decode(SPAN(CHUNK "0\r\nX: 1\r\nSet-Cookie: a\r\nY: 2\r\n\r\n"), &h, 0, 1);
	assert_int_equal(o.result, BODY_END);
	assert_int_equal(o.trailers, 2);
	outcome_free(&o);

	/* What is sent back is told as the answer's fault. */
	h.kind = HEAD_RESPONSE;
	o = decode(SPAN("x"), &h, 0, 1);
	assert_int_equal(o.kind, ERR_BAD_RESPONSE);
	outcome_free(&o);
}

/* A block that begins at its very front and is full to its end, with a message end inside. */
static void test_full_block(void **state)
{
	(void)state;
	struct head h = framed(BODY_LENGTH, 1);
	struct parse_limits max = PARSE_LIMITS_MAX;
	struct body body;
	struct block *b = block_get(&pool), *behind;
	body_init(&body, &h, &max);
	b->data = b->mem;
	b->len = sizeof b->mem;
	memset(b->mem, 'x', sizeof b->mem);
	assert_int_equal(body_feed(&body, b, &behind, NULL), BODY_END);
	assert_int_equal(b->len, 1);
	assert_int_equal(behind->len, sizeof b->mem - 1);
	block_put(b);
	block_put(behind);
	body_free(&body);
}

static int set_up(void **state)
{
	(void)state;
	block_pool_init(&pool, 4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(pool.used, 0);
	block_pool_free(&pool);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length),	   cmocka_unit_test(test_no_body),
		cmocka_unit_test(test_chunked),	   cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_huge_chunk), cmocka_unit_test(test_many_chunks_leave_as_one),
		cmocka_unit_test(test_bounds),	   cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_full_block),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

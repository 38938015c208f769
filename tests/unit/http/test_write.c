/* What is written is what was meant, fits, and holds no line of anybody else's making. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/write.h"

static struct head request(void)
{
	struct head h;
	head_init_request(&h, SPAN("pUT"), SPAN("/p?q"));
	head_add(&h, SPAN("Host"), SPAN("a"));
	head_add(&h, SPAN("x"), SPAN("\xff 1"));
	head_add(&h, SPAN("x"), SPAN(""));
	return h;
}

static const char request_text[] = "pUT /p?q HTTP/1.1\r\nHost: a\r\nx: \xff 1\r\nx: \r\n\r\n";

static void test_heads(void **state)
{
	(void)state;
	struct head h = request();
	struct buf out;
	buf_init(&out, 1000);
	buf_add_text(&out, ">");
	assert_true(write_head(&out, &h, NULL));
	assert_string_equal(buf_text(&out) + 1, request_text);

	buf_clear(&out);
	head_init_response(&h, 204, SPAN("No \xe9"));
	h.minor = 0; /* what was received says nothing of what we speak */
	assert_true(write_head(&out, &h, NULL));
	assert_string_equal(buf_text(&out), "HTTP/1.1 204 No \xe9\r\n\r\n");
	buf_clear(&out);
	head_init_response(&h, 999, (struct span){NULL, 0});
	assert_true(write_head(&out, &h, NULL));
	assert_string_equal(buf_text(&out), "HTTP/1.1 999 \r\n\r\n");
	buf_free(&out);
}

static void test_room(void **state)
{
	(void)state;
	struct head h = request();
	struct error err;
	struct buf out;
	size_t size = sizeof request_text - 1;

	buf_init(&out, size);
	assert_true(write_head(&out, &h, &err));
	buf_free(&out);
	buf_init(&out, size - 1);
	assert_false(write_head(&out, &h, &err));
	assert_int_equal(err.kind, ERR_HEAD_SIZE);
	assert_int_equal(out.n, 0);
	buf_free(&out);

	struct block_pool pool;
	block_pool_init(&pool, 1);
	struct block *b = block_get(&pool);
	b->len = block_free_room(b) - size;
	size_t before = b->len;
	assert_true(write_head_block(b, &h, &err));
	assert_int_equal(block_free_room(b), 0);
	assert_memory_equal(b->data + before, request_text, size);
	b->len = before + 1;
	assert_false(write_head_block(b, &h, &err));
	assert_int_equal(b->len, before + 1);
	block_put(b);
	block_pool_free(&pool);
}

static bool refused(const struct head *h)
{
	struct buf out;
	struct error err;
	buf_init(&out, 1000);
	buf_add_text(&out, ">");
	bool ok = write_head(&out, h, &err);
	assert_int_equal(out.n == 1, !ok);
	buf_free(&out);
	return !ok && err.kind == ERR_INTERNAL;
}

static void test_injection(void **state)
{
	(void)state;
	static const struct span bad_values[] = {
		{"a\r\nB: c", 7}, {"a\nb", 3}, {"a\r", 2}, {"a\0", 2}, {"\x7f", 1}};
	static const struct span bad_names[] = {{"", 0}, {"A:", 2}, {"A B", 3}, {"A\r\n", 3}, {"\xe9", 1}};
	static const struct span bad_targets[] = {{"", 0}, {"/a b", 4}, {"/\r\n", 3}, {"/\t", 2}, {"/\0", 2}};
	struct head h;
	for (size_t i = 0; i < 5; i++) {
		h = request();
		assert_false(refused(&h));
		h.fields[1].value = bad_values[i];
		assert_true(refused(&h));
		h = request();
		h.fields[1].name = bad_names[i];
		assert_true(refused(&h));
		h = request();
		h.target = bad_targets[i];
		assert_true(refused(&h));
		h = request();
		h.method = bad_names[i];
		assert_true(refused(&h));
		head_init_response(&h, 200, bad_values[i]);
		assert_true(refused(&h));
	}
	head_init_response(&h, 99, SPAN("x"));
	assert_true(refused(&h));
	head_init_response(&h, 1000, SPAN("x"));
	assert_true(refused(&h));
}

static void test_last_chunk(void **state)
{
	(void)state;
	struct head h = request();
	struct error err;
	struct buf out;

	buf_init(&out, 100);
	assert_true(write_last_chunk(&out, NULL, &err));
	assert_true(span_is(buf_span(&out), WRITE_LAST_CHUNK));
	buf_clear(&out);
	assert_true(write_last_chunk(&out, &h, &err));
	assert_string_equal(buf_text(&out), "0\r\nHost: a\r\nx: \xff 1\r\nx: \r\n\r\n");
	buf_clear(&out);
	h.fields[0].value = SPAN("a\r\n");
	assert_false(write_last_chunk(&out, &h, &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_int_equal(out.n, 0);
	buf_free(&out);

	for (size_t cap = 0; cap < 5; cap++) {
		buf_init(&out, cap);
		assert_false(write_last_chunk(&out, NULL, &err));
		assert_int_equal(err.kind, ERR_HEAD_SIZE);
		assert_int_equal(out.n, 0);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_last_chunk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

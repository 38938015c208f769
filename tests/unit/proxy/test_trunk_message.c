/* The answer to a trunk's hello in both languages: in pieces of every size, refused, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/trunk_message.h"

static void feed_in_pieces(enum trunk_wire wire, struct span text, size_t piece,
			   enum trunk_answer_result result, uint32_t strands)
{
	struct block_pool pool;
	struct trunk_answer a;
	struct error err = {0};
	block_pool_init(&pool, 1);
	trunk_answer_init(&a, wire);
	enum trunk_answer_result got = TRUNK_ANSWER_MORE;
	for (size_t at = 0; at < text.n && got == TRUNK_ANSWER_MORE; at += piece) {
		struct block *b = block_get(&pool);
		b->len = text.n - at < piece ? text.n - at : piece;
		memcpy(b->data, text.p + at, b->len);
		got = trunk_answer_feed(&a, b, &err);
		if (got == TRUNK_ANSWER_MORE)
			assert_int_equal(b->len, 0);
		block_put(b);
	}
	assert_int_equal(got, result);
	assert_int_equal(result == TRUNK_ANSWER_OK ? a.offer.strands : 0, strands);
	assert_int_equal(a.offer.workers, strands ? 7 : 0);
	assert_int_equal(result == TRUNK_ANSWER_REFUSED, err.kind != ERR_NONE);
	trunk_answer_free(&a);
	block_pool_free(&pool);
}

static void answers(void **state)
{
	(void)state;
	struct error no;
	error_set_hop(&no, ERR_LIMIT, HOP_TUNNEL, "no trunk here");
	for (enum trunk_wire wire = TRUNK_FRAMES; wire <= TRUNK_TUNNEL; wire++)
		for (size_t piece = 1; piece < 70; piece++) {
			struct buf text;
			buf_init(&text, 1024);
			trunk_answer_write(&text, wire, &(struct trunk_offer){.strands = 4711, .workers = 7});
			feed_in_pieces(wire, buf_span(&text), piece, TRUNK_ANSWER_OK, 4711);
			buf_clear(&text);
			trunk_refusal_write(&text, wire, &no);
			feed_in_pieces(wire, buf_span(&text), piece, TRUNK_ANSWER_REFUSED, 0);
			buf_free(&text);
		}
	static const char *const bad[] = {
		"\0\0\0\4\15", /* from before there were several */
		"\0\0\0\5\1",  "\0\0\0\4\16", "\0\0\0\24\15", "\xff\xff\xff\xff\15", "HTTP/1.1 400",
	};
	for (size_t i = 0; i < countof(bad); i++)
		feed_in_pieces(TRUNK_FRAMES, (struct span){bad[i], i == countof(bad) - 1 ? 12 : 5}, 1,
			       TRUNK_ANSWER_REFUSED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

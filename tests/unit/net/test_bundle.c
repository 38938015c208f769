/* Strands as streams: bytes, windows, ends; and what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/bundle_impl.h"
#include "support/bundle_pair.h"
#include "support/mem_stream.h"
#include "support/talker.h"
#include "support/until.h"

#define WINDOW 32768
#define HEADER 8

static const size_t carriers[] = {1, 7, 4096, OVER_SOCKETS};

struct talk {
	struct talker here, there; /* of who dialled, of who accepted */
};

static void talk_start(struct bundle_pair *t, struct talk *k, uint64_t up, uint64_t down, size_t piece)
{
	struct stream *there, *here = bundle_pair_open(t, &there);
	talker_start(&k->here, here, 1, up, piece, 2);
	talker_start(&k->there, there, 2, down, piece, 1);
}

static bool talk_is_over(const struct talk *k)
{
	return k->here.heard_end && k->there.heard_end && k->here.said && k->there.said;
}

static void assert_whole(const struct talk *k, uint64_t up, uint64_t down)
{
	assert_false(k->here.wrong || k->there.wrong);
	assert_false(k->here.send_failed || k->there.send_failed);
	assert_int_equal(k->there.got, up);
	assert_int_equal(k->here.got, down);
}

static void talk_end(struct talk *k)
{
	talker_close(&k->here);
	talker_close(&k->there);
}

/* Nothing happens any more. */
static void settle(struct bundle_pair *t)
{
	for (int i = 0; i < 100; i++)
		loop_step(t->loop, 0);
}

/* ---- bytes ---- */

static void one_strand_both_ways(void **state)
{
	static const uint64_t sizes[][2] = {{0, 0}, {1, 0}, {0, 1}, {300, 2500}, {70000, 40000}};
	(void)state;
	for (size_t i = 0; i < countof(carriers); i++) {
		for (size_t n = 0; n < countof(sizes); n++) {
			struct bundle_pair t;
			struct talk *k = mem_zero(sizeof *k);
			bundle_pair_start(&t, carriers[i], 4);
			talk_start(&t, k, sizes[n][0], sizes[n][1], 5000);
			UNTIL(t.loop, talk_is_over(k));
			assert_whole(k, sizes[n][0], sizes[n][1]);
			talk_end(k);
			UNTIL(t.loop, !bundle_count(t.dials.bundle) && !bundle_count(t.accepts.bundle));
			bundle_pair_end(&t);
			free(k);
		}
	}
}

static void fifty_at_a_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(carriers); i++) {
		struct bundle_pair t;
		struct talk *k = mem_zero(50 * sizeof *k);
		unsigned much = carriers[i] == 1 ? 1 : 50;
		bundle_pair_start(&t, carriers[i], 50);
		for (unsigned n = 0; n < 50; n++)
			talk_start(&t, k + n, (uint64_t)n * n * much, (uint64_t)(50 - n) * 29 * much,
				   1 + n * 1000);
		assert_int_equal(bundle_count(t.dials.bundle), 50);
		for (unsigned n = 0; n < 50; n++) {
			UNTIL(t.loop, talk_is_over(k + n));
			assert_whole(k + n, (uint64_t)n * n * much, (uint64_t)(50 - n) * 29 * much);
			talk_end(k + n);
		}
		UNTIL(t.loop, !bundle_count(t.dials.bundle) && !bundle_count(t.accepts.bundle));
		assert_int_equal(t.dials.gone + t.accepts.gone, 0);
		bundle_pair_end(&t);
		free(k);
	}
}

/* The one answers only when it has heard the end of the other. */
static void half_close_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(carriers); i++) {
		for (int first = 0; first < 2; first++) {
			struct bundle_pair t;
			struct talk *k = mem_zero(sizeof *k);
			struct talker *asks = first ? &k->here : &k->there,
				      *answers = first ? &k->there : &k->here;
			bundle_pair_start(&t, carriers[i], 1);
			k->here.s = bundle_pair_open(&t, &k->there.s);
			answers->says = answers->hears = 3;
			answers->piece = 100;
			talker_listen(answers);
			talker_start(asks, asks->s, 3, 500, 100, 3);
			UNTIL(t.loop, answers->heard_end);
			assert_int_equal(answers->got, 500);
			assert_false(asks->heard_end || asks->read_failed);
			talker_say(answers, 700);
			UNTIL(t.loop, talk_is_over(k));
			assert_int_equal(asks->got, 700);
			assert_false(asks->wrong || answers->wrong);
			talk_end(k);
			bundle_pair_end(&t);
			free(k);
		}
	}
}

/* ---- reads ---- */

struct reading {
	struct block *b;
	bool came;
};

static void on_block(void *arg, struct block *b, const struct error *err)
{
	struct reading *r = arg;
	assert_null(err);
	r->b = b;
	r->came = true;
}

/* Asked and taken back in every turn, and half of what came given back: all bytes are there. */
static void a_read_taken_back_loses_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(carriers); i++) {
		struct bundle_pair t;
		struct talk *k = mem_zero(sizeof *k);
		struct reading r = {0};
		uint64_t got = 0, much = carriers[i] == 1 ? 2000 : 90000;
		bundle_pair_start(&t, carriers[i], 1);
		k->here.s = bundle_pair_open(&t, &k->there.s);
		talker_start(&k->here, k->here.s, 1, much, 3000, 1);
		for (int turn = 0; turn < 100000 && !(r.came && !r.b); turn++) {
			r.came = false;
			stream_read(k->there.s, on_block, &r);
			for (int n = 0; n < turn % 4 && !r.came; n++)
				loop_step(t.loop, 0);
			if (!r.came)
				stream_read_cancel(k->there.s);
			if (!r.came || !r.b)
				continue;
			size_t n = (r.b->len + 1) / 2;
			for (size_t at = 0; at < n; at++)
				assert_int_equal(r.b->data[at], talker_byte(1, got + at));
			block_take(r.b, n);
			got += n;
			stream_unread(k->there.s, r.b);
		}
		assert_true(r.came && !r.b);
		assert_int_equal(got, much);
		talk_end(k);
		bundle_pair_end(&t);
		free(k);
	}
}

/* ---- windows ---- */

static void on_written(void *arg, const struct error *err)
{
	assert_null(err);
	*(bool *)arg = true;
}

static void who_does_not_read_holds_up_himself(void **state)
{
	(void)state;
	for (size_t i = 1; i < countof(carriers); i++) {
		struct bundle_pair t;
		struct talk *k = mem_zero(sizeof *k);
		struct talker *late = mem_zero(sizeof *late);
		static uint8_t bytes[60000];
		bool written = false;
		bundle_pair_start(&t, carriers[i], 2);
		struct stream *there, *here = bundle_pair_open(&t, &there);
		for (size_t n = 0; n < sizeof bytes; n++)
			bytes[n] = talker_byte(1, n);
		stream_write(here, &(struct span){(char *)bytes, sizeof bytes}, 1, on_written, &written);
		talk_start(&t, k, 100000, 50000, 7000);
		UNTIL(t.loop, talk_is_over(k));
		assert_whole(k, 100000, 50000);
		settle(&t);
		assert_false(written);
		if (carriers[i] != OVER_SOCKETS) {
			uint64_t sent = mem_sent(t.dials.carrier) - 100000;
			assert_true(sent >= WINDOW && sent < WINDOW + 1000);
		}
		assert_true(loop_blocks(t.loop)->used <= 1);
		assert_int_equal(t.dials.asked, k->here.got ? 1 : 0); /* the other one was */
		*late = (struct talker){.s = there, .hears = 1};
		talker_listen(late);
		UNTIL(t.loop, written && late->got == sizeof bytes);
		assert_false(late->wrong || late->heard_end);
		stream_close(here);
		UNTIL(t.loop, late->heard_end);
		talker_close(late);
		talk_end(k);
		bundle_pair_end(&t);
		free(late);
		free(k);
	}
}

/* ---- cost ---- */

/* What ten strands say in one turn is one write, and so are what they open with and end with. */
static void a_turn_is_a_write(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct stream *carrier, *far, *s[10];
	struct bundle_end e;
	struct reading r = {0};
	bool written[10] = {false};
	mem_pair(l, 100000, &carrier, &far);
	bundle_end_start(&e, carrier, BUNDLE_DIALS, 10);
	static const size_t bytes[] = {10 * HEADER, 10 * (HEADER + 5), 10 * HEADER, 10 * HEADER};
	for (size_t step = 0; step < countof(bytes); step++) {
		r.came = false;
		stream_read(far, on_block, &r);
		for (int i = 0; i < 10; i++) {
			written[i] = false;
			if (step == 0)
				s[i] = bundle_open(e.bundle);
			else if (step == 1)
				stream_write(s[i], &SPAN("hello"), 1, on_written, &written[i]);
			else if (step == 2)
				stream_shutdown(s[i], on_written, &written[i]);
			else
				stream_close(s[i]);
		}
		loop_step(l, 0);
		assert_true(r.came && r.b); /* a read takes what one write brought */
		assert_int_equal(r.b->len, bytes[step]);
		block_put(r.b);
		for (int i = 0; i < 10; i++)
			assert_int_equal(written[i], step == 1 || step == 2);
	}
	stream_close(far);
	UNTIL(l, e.gone == 1);
	loop_free(l);
}

/* ---- ids ---- */

/* 0 is the bundle's own, and a strand that is still there keeps its id. */
static void ids_start_again(void **state)
{
	(void)state;
	for (size_t i = 1; i < countof(carriers); i++) {
		struct bundle_pair t;
		struct talk *k = mem_zero(8 * sizeof *k);
		bundle_pair_start(&t, carriers[i], 8);
		talk_start(&t, k, 9000, 9000, 700); /* strand 1 */
		t.dials.bundle->last = t.accepts.bundle->last = UINT32_MAX - 3;
		for (unsigned n = 1; n < 8; n++)
			talk_start(&t, k + n, 100 * n, 5000, 900);
		assert_int_equal(t.dials.bundle->last, 5); /* -3, -2, -1, 2, 3, 4, 5 */
		for (unsigned n = 0; n < 8; n++) {
			UNTIL(t.loop, talk_is_over(k + n));
			assert_whole(k + n, n ? 100 * n : 9000, n ? 5000 : 9000);
			talk_end(k + n);
		}
		UNTIL(t.loop, !bundle_count(t.dials.bundle) && !bundle_count(t.accepts.bundle));
		assert_int_equal(t.dials.gone + t.accepts.gone, 0);
		bundle_pair_end(&t);
		free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_strand_both_ways),
		cmocka_unit_test(fifty_at_a_time),
		cmocka_unit_test(half_close_both_ways),
		cmocka_unit_test(a_read_taken_back_loses_nothing),
		cmocka_unit_test(who_does_not_read_holds_up_himself),
		cmocka_unit_test(a_turn_is_a_write),
		cmocka_unit_test(ids_start_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

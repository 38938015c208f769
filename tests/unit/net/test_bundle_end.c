/* How strands end, and bundles: closes, breaks, leaving, and carriers cut anywhere. */
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

static const size_t carriers[] = {1, 7, 4096, OVER_SOCKETS};

struct outcome {
	bool done, failed;
	struct error err;
};

static void on_written(void *arg, const struct error *err)
{
	struct outcome *o = arg;
	o->done = true;
	o->failed = err;
	if (err)
		o->err = *err;
}

static bool is_over(const struct talker *t)
{
	return t->heard_end || t->read_failed;
}

static void stay(struct talker *t, struct stream *s)
{
	*t = (struct talker){.s = s, .says = 1, .hears = 1, .piece = 100, .stays = true};
	talker_listen(t);
}

/* ---- of a strand ---- */

/* What was written before comes first; a close is an end then, and a break ERR_RESET; and who writes fails. */
static void a_close_is_an_end_and_a_break_an_error(void **state)
{
	(void)state;
	for (int n = 0; n < 16; n++) {
		bool breaks = n & 1, dialler = n & 2;
		struct bundle_pair t;
		struct talker *says = mem_zero(sizeof *says), *hears = mem_zero(sizeof *hears);
		struct outcome o = {0}, shut = {0};
		bundle_pair_start(&t, carriers[n / 4], 2);
		struct stream *there, *here = bundle_pair_open(&t, &there);
		stay(says, dialler ? here : there);
		stay(hears, dialler ? there : here);
		talker_say(says, 1000);
		UNTIL(t.loop, says->said && (!breaks || hears->got == 1000));
		(breaks ? stream_abort : stream_close)(says->s);
		UNTIL(t.loop, is_over(hears));
		assert_int_equal(hears->got, 1000);
		assert_false(hears->wrong);
		assert_int_equal(hears->read_failed, breaks);
		if (breaks)
			assert_int_equal(hears->read_error.kind, ERR_RESET);
		stream_write(hears->s, &SPAN("to nobody"), 1, on_written, &o);
		UNTIL(t.loop, o.done);
		assert_true(o.failed);
		assert_int_equal(o.err.kind, ERR_RESET);
		stream_shutdown(hears->s, on_written, &shut);
		UNTIL(t.loop, shut.done);
		assert_true(shut.failed);
		talker_close(hears);
		UNTIL(t.loop, !bundle_count(t.dials.bundle) && !bundle_count(t.accepts.bundle));
		bundle_pair_end(&t);
		free(says);
		free(hears);
	}
}

/* A write that waits for the window is told, too. */
static void a_waiting_write_fails_when_the_reader_goes(void **state)
{
	static const char bytes[60000];
	(void)state;
	for (int n = 0; n < 8; n++) {
		struct bundle_pair t;
		struct outcome o = {0};
		bundle_pair_start(&t, carriers[n / 2], 2);
		struct stream *there, *here = bundle_pair_open(&t, &there);
		stream_write(here, &(struct span){bytes, sizeof bytes}, 1, on_written, &o);
		for (int i = 0; i < 200; i++)
			loop_step(t.loop, 0);
		assert_false(o.done);
		(n & 1 ? stream_close : stream_abort)(there);
		UNTIL(t.loop, o.done);
		assert_true(o.failed);
		assert_int_equal(o.err.kind, ERR_RESET);
		stream_close(here);
		bundle_pair_end(&t);
	}
}

/* Closed by either side, or both, in any turn: no trace is left. */
static void closed_in_any_turn(void **state)
{
	(void)state;
	for (int n = 0; n < 120; n++) {
		struct bundle_pair t;
		struct talker *a = mem_zero(sizeof *a), *b = mem_zero(sizeof *b);
		bundle_pair_start(&t, 300, 2);
		struct stream *there, *here = bundle_pair_open(&t, &there);
		talker_start(a, here, 1, 4000, 900, 2);
		talker_start(b, there, 2, 4000, 700, 1);
		for (int i = 0; i < n / 4; i++)
			loop_step(t.loop, 0);
		(n & 1 ? stream_close : stream_abort)(n & 2 ? a->s : b->s);
		UNTIL(t.loop, is_over(n & 2 ? b : a));
		talker_close(n & 2 ? b : a);
		UNTIL(t.loop, !bundle_count(t.dials.bundle) && !bundle_count(t.accepts.bundle));
		assert_int_equal(t.dials.gone + t.accepts.gone, 0);
		assert_false(a->wrong || b->wrong);
		bundle_pair_end(&t);
		free(a);
		free(b);
	}
}

/* An end that has no room yet is not said any more by who breaks off; who only closes has said it with that. */
static void what_comes_last_replaces_an_end_that_waits(void **state)
{
	static const char window[BUNDLE_WINDOW];
	(void)state;
	for (int breaks = 0; breaks < 2; breaks++) {
		struct bundle_pair t;
		struct stream *here[8], *there[8];
		struct outcome o[8] = {0};
		struct talker *hears = mem_zero(sizeof *hears);
		bundle_pair_start(&t, 4096, 8);
		for (int i = 0; i < 8; i++)
			here[i] = bundle_pair_open(&t, &there[i]);
		for (int i = 1; i < 8; i++)
			stream_write(here[i], &(struct span){window, sizeof window}, 1, on_written, &o[i]);
		stream_shutdown(here[0], on_written, &o[0]);
		assert_false(list_empty(&t.dials.bundle->out.waiting));
		(breaks ? stream_abort : stream_close)(here[0]);
		stay(hears, there[0]);
		UNTIL(t.loop, is_over(hears));
		assert_int_equal(hears->read_failed, breaks);
		talker_close(hears);
		for (int i = 1; i < 8; i++) {
			stream_close(here[i]);
			stream_close(there[i]);
		}
		UNTIL(t.loop, !bundle_count(t.dials.bundle) && !bundle_count(t.accepts.bundle));
		assert_int_equal(t.dials.gone + t.accepts.gone, 0);
		bundle_pair_end(&t);
		free(hears);
	}
}

/* ---- of a carrier ---- */

struct short_talk {
	struct bundle_pair t;
	struct talker here[3], there[3];
};

/* Three strands at a time, opened at once; who accepts answers as soon as they come. */
static void talk_briefly(struct short_talk *k)
{
	for (unsigned i = 0; i < 3; i++)
		talker_start(&k->here[i], bundle_open(k->t.dials.bundle), i, 20 * i, 9, i + 10);
	for (int turn = 0; turn < 300; turn++) {
		for (unsigned i = 0; i < k->t.accepts.count; i++)
			if (k->t.accepts.came[i]) {
				talker_start(&k->there[i], k->t.accepts.came[i], i + 10, 30, 11, i);
				k->t.accepts.came[i] = NULL;
			}
		loop_step(k->t.loop, 0);
	}
}

/* An error, or the end behind the last byte. */
static void assert_no_half(const struct talker *t, uint64_t all)
{
	assert_false(t->wrong);
	assert_true(is_over(t));
	if (t->heard_end)
		assert_int_equal(t->got, all);
	else
		assert_int_equal(t->read_error.kind, ERR_RESET);
}

static uint64_t broken_at(size_t capacity, void (*breakage)(struct stream *s, uint64_t n), bool dialler,
			  uint64_t n)
{
	struct short_talk *k = mem_zero(sizeof *k);
	bundle_pair_start(&k->t, capacity, 3);
	struct stream *carrier = dialler ? k->t.dials.carrier : k->t.accepts.carrier;
	if (breakage)
		breakage(carrier, n);
	talk_briefly(k);
	uint64_t sent = k->t.dials.bundle ? mem_sent(carrier) : 0;
	bool whole = !k->t.dials.gone;
	assert_int_equal(k->t.dials.gone, k->t.accepts.gone);
	assert_true(k->t.dials.gone <= 1 && (whole || breakage));
	for (unsigned i = 0; i < 3; i++) {
		assert_no_half(&k->here[i], 30);
		talker_close(&k->here[i]);
		if (!k->there[i].s)
			continue;
		assert_no_half(&k->there[i], 20 * i);
		assert_true(!whole || (k->here[i].heard_end && k->there[i].heard_end));
		talker_close(&k->there[i]);
	}
	bundle_pair_end(&k->t);
	free(k);
	return sent;
}

static void a_carrier_broken_at_each_byte(void **state)
{
	static const size_t capacities[] = {1, 7, 4096};
	(void)state;
	for (int n = 0; n < 12; n++) {
		size_t capacity = capacities[n / 4];
		bool dialler = n & 1;
		uint64_t all = broken_at(capacity, NULL, dialler, 0);
		assert_true(all > 100);
		for (uint64_t at = 0; at < all; at++)
			broken_at(capacity, n & 2 ? mem_cut : mem_fail, dialler, at);
	}
}

/* What had come whole before the carrier went is read whole after it. */
static void an_end_outlives_the_carrier(void **state)
{
	(void)state;
	for (int n = 0; n < 4; n++) {
		struct bundle_pair t;
		struct talker *k = mem_zero(sizeof *k);
		struct outcome said = {0}, shut = {0};
		bundle_pair_start(&t, carriers[n], 2);
		struct stream *there, *here = bundle_pair_open(&t, &there);
		stream_write(there, &SPAN("\x00\x00"), 1, on_written, &said);
		UNTIL(t.loop, said.done);
		stream_shutdown(there, on_written, &shut);
		UNTIL(t.loop, shut.done);
		*k = (struct talker){.s = here};
		for (int i = 0; i < 100; i++)
			loop_step(t.loop, 0);
		bundle_free(t.accepts.bundle);
		t.accepts.bundle = NULL;
		UNTIL(t.loop, t.dials.gone);
		assert_true(t.dials.failed);
		talker_listen(k);
		UNTIL(t.loop, is_over(k));
		assert_true(k->heard_end && k->got == 2);
		talker_close(k);
		stream_close(there);
		bundle_pair_end(&t);
		free(k);
	}
}

static void freed_with_strands_open(void **state)
{
	(void)state;
	for (int n = 0; n < 80; n++) {
		bool dialler = n & 1;
		struct bundle_pair t;
		struct talker *a = mem_zero(sizeof *a), *b = mem_zero(sizeof *b);
		bundle_pair_start(&t, n & 2 ? 300 : OVER_SOCKETS, 2);
		struct stream *there, *here = bundle_pair_open(&t, &there);
		talker_start(a, here, 1, 60000, 50000, 2);
		talker_start(b, there, 2, 60000, 50000, 1);
		for (int i = 0; i < n / 4; i++)
			loop_step(t.loop, 0);
		struct bundle_end *goes = dialler ? &t.dials : &t.accepts,
				  *stays = dialler ? &t.accepts : &t.dials;
		bundle_free(goes->bundle);
		goes->bundle = NULL;
		UNTIL(t.loop, is_over(a) && is_over(b) && stays->gone == 1);
		assert_int_equal(goes->gone, 0);
		assert_false(a->wrong || b->wrong);
		assert_true(!a->heard_end || a->got == 60000);
		assert_true(!b->heard_end || b->got == 60000);
		talker_close(a);
		talker_close(b);
		bundle_pair_end(&t);
		free(a);
		free(b);
	}
}

/* ---- leaving ---- */

/* Whoever leaves: what runs goes on to its end, all bytes of it, and then the carrier ends as it should. */
static void leaving_waits_for_the_last(void **state)
{
	(void)state;
	for (int n = 0; n < 16; n++) {
		bool dialler = n & 1, both = n & 2;
		struct bundle_pair t;
		struct talker *a = mem_zero(sizeof *a), *b = mem_zero(sizeof *b);
		bundle_pair_start(&t, carriers[n / 4], 3);
		struct stream *there, *here = bundle_pair_open(&t, &there);
		struct stream *late = bundle_open(t.dials.bundle); /* not there yet: it crosses */
		bundle_leave(dialler ? t.dials.bundle : t.accepts.bundle);
		if (both)
			bundle_leave(dialler ? t.accepts.bundle : t.dials.bundle);
		assert_true(bundle_leaves_with(dialler ? here : there));
		assert_false(!both && bundle_leaves_with(dialler ? there : here)); /* it has not heard yet */
		for (int i = 0; i < 100; i++)
			loop_step(t.loop, 0);
		assert_true(bundle_leaves_with(here) && bundle_leaves_with(there));
		assert_true(bundle_carries(here) && bundle_carries(there));
		assert_false(bundle_leaves_with(t.dials.carrier) || bundle_carries(t.dials.carrier));
		assert_null(bundle_open(t.dials.bundle));
		talker_start(a, late, 1, 0, 9, 2);
		UNTIL(t.loop, t.accepts.count == 2 || a->read_failed);
		assert_true(t.accepts.count == 2 || !dialler || both);
		talker_close(a);
		if (t.accepts.count == 2) {
			stream_close(t.accepts.came[1]);
			t.accepts.came[1] = NULL;
		}
		stay(b, there);
		talker_start(a, here, 1, 50000, 4000, 1);
		UNTIL(t.loop, b->got == 50000 && b->heard_end);
		b->piece = 3000;
		talker_say(b, 20000);
		UNTIL(t.loop, b->said);
		assert_int_equal(t.dials.gone + t.accepts.gone, 0);
		talker_close(b); /* before the other side has it all */
		UNTIL(t.loop, is_over(a));
		assert_true(a->heard_end && a->got == 20000 && !a->wrong);
		talker_close(a);
		UNTIL(t.loop, t.dials.gone && t.accepts.gone);
		assert_false(t.dials.failed || t.accepts.failed);
		bundle_pair_end(&t);
		assert_int_equal(t.dials.gone + t.accepts.gone, 2);
		free(a);
		free(b);
	}
}

static void leaving_an_empty_one(void **state)
{
	(void)state;
	for (int n = 0; n < 12; n++) {
		struct bundle_pair t;
		bundle_pair_start(&t, carriers[n / 3], 3);
		if (n % 3 != 1)
			bundle_leave(t.dials.bundle);
		if (n % 3 != 0)
			bundle_leave(t.accepts.bundle);
		UNTIL(t.loop, t.dials.gone && t.accepts.gone);
		assert_false(t.dials.failed || t.accepts.failed);
		bundle_pair_end(&t);
	}
}

/* ---- silence ---- */

/* The clock is not ours to move, but when the timer comes is. */
static void beat_now(struct bundle_pair *t)
{
	struct timer *beat = &t->dials.bundle->beat;
	assert_true(timer_active(beat));
	timer_start(t->loop, beat, 0, beat->fn);
	for (int i = 0; i < 20; i++)
		loop_step(t->loop, 0);
}

static void a_silent_carrier_is_asked_and_given_up(void **state)
{
	(void)state;
	struct bundle_pair t;
	struct talker *k = mem_zero(sizeof *k);
	bundle_pair_start(&t, 4096, 3);
	struct stream *there, *here = bundle_pair_open(&t, &there);
	stay(k, here);
	for (int i = 0; i < 10; i++)
		beat_now(&t); /* asked, and answered */
	assert_int_equal(mem_sent(t.accepts.carrier) % BUNDLE_HEADER, 0);
	assert_true(mem_sent(t.accepts.carrier) >= (uint64_t)4 * BUNDLE_HEADER);
	stream_read_cancel(t.accepts.carrier); /* stopped, as by SIGSTOP */
	for (int i = 0; i < 3 && !t.dials.gone; i++)
		beat_now(&t);
	assert_int_equal(t.dials.gone, 1);
	assert_int_equal(t.dials.err.kind, ERR_TIMEOUT);
	UNTIL(t.loop, k->read_failed);
	assert_int_equal(k->read_error.kind, ERR_TIMEOUT);
	talker_close(k);
	stream_close(there);
	bundle_pair_end(&t);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_close_is_an_end_and_a_break_an_error),
		cmocka_unit_test(a_waiting_write_fails_when_the_reader_goes),
		cmocka_unit_test(closed_in_any_turn),
		cmocka_unit_test(what_comes_last_replaces_an_end_that_waits),
		cmocka_unit_test(a_carrier_broken_at_each_byte),
		cmocka_unit_test(an_end_outlives_the_carrier),
		cmocka_unit_test(freed_with_strands_open),
		cmocka_unit_test(leaving_waits_for_the_last),
		cmocka_unit_test(leaving_an_empty_one),
		cmocka_unit_test(a_silent_carrier_is_asked_and_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

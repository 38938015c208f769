/*
 * Connections opened ahead of a request: when there is one and when not, who gets it, and what it may not take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/until.h"
#include "support/upstream_world.h"

#define SHORT_S 6 /* longer than a shortage is remembered */

/* ---- when there is one ---- */

static void test_one_after_the_other(void **state)
{
	(void)state;
	struct upstream_world w;
	upstream_world_start(&w);
	for (int i = 0; i < 5; i++) {
		upstream_world_ask(&w, &upstream_site, false, &w.a);
		if (i == 0)
			upstream_world_connected(&w, 0);
		upstream_world_got(&w, &w.a, i > 0);
		upstream_world_serve(&w, &w.a, 0, true);
	}
	upstream_world_turn(&w);
	assert_int_equal(w.dialled, 1);
	assert_int_equal(w.stats.ahead, 0);
	upstream_world_finish(&w);
}

static void test_the_next_request_finds_it_idle(void **state)
{
	(void)state;
	struct upstream_world w;
	upstream_world_start(&w);
	upstream_world_one_ahead(&w);
	assert_int_equal(w.stats.open, 3);
	upstream_world_ask(&w, &upstream_site, false, &w.c);
	upstream_world_got(&w, &w.c, true); /* it may be stale, as any that was idle */
	assert_int_equal(w.stats.ahead_used, 1);
	UNTIL(w.loop, w.dialled == 4); /* c has taken the last one */
	upstream_world_serve(&w, &w.c, 2, true);
	upstream_world_ask(&w, &upstream_site, false, &w.c);
	upstream_world_got(&w, &w.c, true);
	assert_int_equal(w.stats.ahead_used, 1); /* once */
	assert_int_equal(w.stats.ahead, 2);	 /* one at a time: connection 3 is not there yet */
	upstream_world_finish(&w);
}

static void test_one_that_is_begun_is_taken_over(void **state)
{
	(void)state;
	for (int fresh = 0; fresh < 2; fresh++) {
		struct upstream_world w;
		upstream_world_start(&w);
		upstream_world_shortage(&w);
		upstream_world_ask(&w, &upstream_site, fresh, &w.c);
		assert_int_equal(w.stats.ahead_used, 1);
		upstream_world_connected(&w, 2);
		upstream_world_got(&w, &w.c, false);
		assert_true(w.b.trace.tunnel_us > 0);
		assert_int_equal(w.c.trace.tunnel_us, 0); /* some of it was before its time */
		UNTIL(w.loop, w.dialled == 4);		  /* the next one's */
		assert_int_equal(w.stats.ahead, 2);
		upstream_world_serve(&w, &w.c, 2, true);
		upstream_world_finish(&w);
	}
}

static void test_a_shortage_is_forgotten(void **state)
{
	(void)state;
	struct upstream_world w;
	upstream_world_start(&w);
	upstream_world_one_ahead(&w);
	upstream_world_wait(&w, SHORT_S);
	upstream_world_ask(&w, &upstream_site, false, &w.c);
	upstream_world_got(&w, &w.c, true);
	upstream_world_turn(&w);
	assert_int_equal(w.dialled, 3);
	upstream_world_finish(&w);
}

/* ---- bounds ---- */

static void test_bounds(void **state)
{
	(void)state;
	static const struct {
		unsigned connections, idle, total;
		bool raw, draining;
		unsigned ahead;
	} rows[] = {
		{3, 1, 1, false, false, 1}, {2, 1, 1, false, false, 0}, {3, 0, 1, false, false, 0},
		{3, 1, 0, false, false, 0}, {3, 1, 1, true, false, 0},	{3, 1, 1, false, true, 0},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct upstream_world w;
		upstream_world_start_with(&w, rows[i].connections, rows[i].idle, rows[i].total);
		if (rows[i].draining)
			upstream_drain(w.upstream);
		upstream_world_ask(&w, rows[i].raw ? &upstream_raw : &upstream_site, false, &w.a);
		upstream_world_ask(&w, rows[i].raw ? &upstream_raw : &upstream_site, false, &w.b);
		UNTIL(w.loop, w.dialled == 2 + rows[i].ahead);
		upstream_world_turn(&w);
		assert_int_equal(w.dialled, 2 + rows[i].ahead);
		assert_int_equal(w.stats.ahead, rows[i].ahead);
		upstream_world_finish(&w);
	}
}

/* It counts as any other, and stands in nobody's way. */
static void test_requests_come_first(void **state)
{
	(void)state;
	struct upstream_world w;
	struct upstream_request d;
	upstream_world_start_with(&w, 3, 3, 3);
	upstream_world_shortage(&w);
	upstream_world_ask(&w, &upstream_site, false, &w.c);
	upstream_world_ask(&w, &upstream_site, false, &d);
	upstream_world_connected(&w, 2);
	upstream_world_got(&w, &w.c, false);
	UNTIL(w.loop, d.calls);
	assert_int_equal(d.kind, ERR_LIMIT);
	upstream_world_finish(&w);

	upstream_world_start_with(&w, 3, 3, 3);
	upstream_world_shortage(&w);
	upstream_world_ask(&w, &upstream_raw, false, &w.c); /* that cannot take it over */
	UNTIL(w.loop, w.service[2].heard_end);
	upstream_world_connected(&w, 3);
	upstream_world_got(&w, &w.c, false);
	upstream_world_finish(&w);

	upstream_world_start_with(&w, 3, 3, 3);
	upstream_world_one_ahead(&w);
	upstream_world_ask(&w, &upstream_raw, false, &w.c);
	UNTIL(w.loop, w.service[2].heard_end);
	upstream_world_connected(&w, 3);
	upstream_world_got(&w, &w.c, false);
	upstream_world_finish(&w);
}

static void test_drain(void **state)
{
	(void)state;
	struct upstream_world w;
	upstream_world_start(&w);
	upstream_world_shortage(&w);
	upstream_drain(w.upstream);
	UNTIL(w.loop, w.service[2].heard_end);
	upstream_world_serve(&w, &w.a, 0, true);
	upstream_world_ask(&w, &upstream_site, false, &w.a);
	upstream_world_got(&w, &w.a, true);
	upstream_world_turn(&w);
	assert_int_equal(w.dialled, 3);
	upstream_world_finish(&w);
}

/* ---- the end in the middle ---- */

static void test_cancel(void **state)
{
	(void)state;
	for (int turns = 0; turns < 5; turns++) {
		struct upstream_world w;
		upstream_world_start(&w);
		upstream_world_shortage(&w);
		if (turns % 2) {
			upstream_world_connected(&w, 2);
			UNTIL(w.loop, w.stats.idle == 1);
		}
		void *opening = upstream_world_ask(&w, &upstream_site, false, &w.c);
		for (int i = 0; i < turns / 2 && !w.c.calls; i++)
			loop_step(w.loop, 0);
		if (w.c.calls)
			upstream_world_give_up(&w.c);
		else
			upstream_cancel(w.upstream, opening);
		upstream_world_turn(&w);
		assert_in_range(w.c.calls, 0, 1);
		upstream_world_finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_the_next_request_finds_it_idle),
		cmocka_unit_test(test_one_that_is_begun_is_taken_over),
		cmocka_unit_test(test_a_shortage_is_forgotten),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_requests_come_first),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_cancel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

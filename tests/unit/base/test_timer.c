/* Timers: in order, moved, stopped, from inside each other; thousands of them against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/loop.h"
#include "support/until.h"

struct alarm {
	struct timer timer;
	struct loop *loop;
	unsigned rang;
	uint64_t at;
	struct alarm *stops, *starts;
	uint64_t again_ms;
};

static unsigned rings;
static uint64_t last_due;

static void on_ring(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);
	rings++;
	a->rang++;
	a->at = loop_now(a->loop);
	assert_false(timer_active(t));
	if (a->stops)
		timer_stop(a->loop, &a->stops->timer);
	if (a->starts)
		timer_start(a->loop, &a->starts->timer, 1, on_ring);
	if (a->again_ms)
		timer_start(a->loop, t, a->again_ms, on_ring);
}

static void test_order(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct alarm a[3] = {{.loop = l}, {.loop = l}, {.loop = l}};
	uint64_t start = loop_now(l);
	timer_start(l, &a[2].timer, 6, on_ring);
	timer_start(l, &a[0].timer, 2, on_ring);
	timer_start(l, &a[1].timer, 4, on_ring);
	UNTIL(l, a[2].rang);
	assert_true(a[0].at >= start + 2 && a[1].at >= start + 4 && a[2].at >= start + 6);
	assert_true(a[0].at <= a[1].at && a[1].at <= a[2].at);
	assert_int_equal(a[0].rang + a[1].rang + a[2].rang, 3);
	loop_free(l);
}

/* Later costs nothing, earlier must not be missed. */
static void test_moved(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct alarm a = {.loop = l}, b = {.loop = l};
	uint64_t start = loop_now(l);
	timer_start(l, &a.timer, 1, on_ring);
	timer_start(l, &a.timer, 8, on_ring);
	timer_start(l, &b.timer, 100000, on_ring);
	timer_start(l, &b.timer, 3, on_ring);
	UNTIL(l, a.rang && b.rang);
	assert_true(a.at >= start + 8 && b.at >= start + 3 && b.at <= a.at);
	assert_int_equal(a.rang, 1);
	/* Later and then earlier again, before the old time has come. */
	start = loop_now(l);
	timer_start(l, &a.timer, 2, on_ring);
	timer_start(l, &a.timer, 50000, on_ring);
	timer_start(l, &a.timer, 4, on_ring);
	UNTIL(l, a.rang == 2);
	assert_true(a.at >= start + 4);
	loop_free(l);
}

static void test_stopped(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct alarm a = {.loop = l}, b = {.loop = l, .stops = &a};
	timer_stop(l, &a.timer); /* one that never ran */
	timer_start(l, &a.timer, 1, on_ring);
	timer_stop(l, &a.timer);
	assert_false(timer_active(&a.timer));
	assert_false(loop_step(l, 0)); /* it keeps no loop alive */
	timer_start(l, &b.timer, 1, on_ring);
	timer_start(l, &a.timer, 1, on_ring); /* due in the same turn, stopped by b */
	UNTIL(l, b.rang);
	loop_step(l, 3);
	assert_int_equal(a.rang, 0);
	loop_free(l);
}

static void test_from_inside(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct alarm a = {.loop = l, .again_ms = 1}, b = {.loop = l}, c = {.loop = l, .starts = &b};
	timer_start(l, &a.timer, 1, on_ring);
	timer_start(l, &c.timer, 1, on_ring);
	UNTIL(l, a.rang == 5 && b.rang == 1);
	timer_stop(l, &a.timer);
	assert_false(timer_active(&b.timer));
	loop_free(l);
}

static void on_ordered(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);
	assert_true(a->at >= last_due); /* at: when it was to ring */
	assert_true(loop_now(a->loop) >= a->at);
	last_due = a->at;
	rings++;
}

/* The heap, shaken: what rings, and in what order, is what a plain list says. */
static void test_many(void **state)
{
	(void)state;
	enum { N = 3000 };
	struct loop *l = loop_new();
	struct alarm *a = calloc(N, sizeof *a);
	uint32_t random = 1;
	unsigned want = 0;
	last_due = 0;
	rings = 0;
	for (int i = 0; i < 4 * N; i++) {
		struct alarm *it = &a[((random = random * 1664525 + 1013904223) >> 8) % N];
		uint32_t dice = (random = random * 1664525 + 1013904223) >> 16;
		it->loop = l;
		if (dice % 4 == 0) {
			timer_stop(l, &it->timer);
		} else {
			it->at = loop_now(l) + 1 + dice % 40;
			timer_start(l, &it->timer, 1 + dice % 40, on_ordered);
		}
	}
	for (int i = 0; i < N; i++)
		want += timer_active(&a[i].timer);
	assert_true(want > 500);
	UNTIL(l, rings == want);
	for (int i = 0; i < N; i++)
		assert_false(timer_active(&a[i].timer));
	assert_false(loop_step(l, 0));
	free(a);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	cmocka_unit_test(test_moved),
		cmocka_unit_test(test_stopped), cmocka_unit_test(test_from_inside),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

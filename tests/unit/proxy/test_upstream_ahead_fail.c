/*
 * Connections opened ahead of a request that come to nothing, or that nobody wants: who hears of it, and when the
 * next one is opened.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "support/until.h"
#include "support/upstream_world.h"

#define PAUSE_S 31 /* longer than a pause lasts */

/* Two at a time once more, after what was there is gone. begun: and one is opened ahead. */
static void shortage_again(struct upstream_world *w, bool begun)
{
	unsigned before = w->dialled;
	UNTIL(w->loop, w->stats.open == 0);
	upstream_world_ask(w, &upstream_site, false, &w->a);
	upstream_world_ask(w, &upstream_site, false, &w->b);
	UNTIL(w->loop, w->dialled == before + 2 + begun);
	upstream_world_turn(w);
	assert_int_equal(w->dialled, before + 2 + begun);
	upstream_world_connected(w, before);
	upstream_world_connected(w, before + 1);
	upstream_world_got(w, &w->a, false);
	upstream_world_got(w, &w->b, false);
	upstream_world_give_up(&w->a);
	upstream_world_give_up(&w->b);
}

static void test_a_failure_is_nobodys(void **state)
{
	(void)state;
	struct upstream_world w;
	upstream_world_start(&w);
	upstream_world_shortage(&w);
	wire_close(&w.service[2]);
	UNTIL(w.loop, w.stats.ahead_failed == 1);
	assert_int_equal(w.stats.failed, 0);
	assert_int_equal(w.a.calls + w.b.calls, 2);
	upstream_world_give_up(&w.a);
	upstream_world_give_up(&w.b);
	shortage_again(&w, false);
	upstream_world_wait(&w, PAUSE_S);
	shortage_again(&w, true);
	upstream_world_finish(&w);
}

static void test_not_behind_a_failure(void **state)
{
	(void)state;
	struct upstream_world w;
	upstream_world_start(&w);
	upstream_world_ask(&w, &upstream_site, false, &w.a);
	UNTIL(w.loop, w.dialled == 1);
	wire_close(&w.service[0]);
	UNTIL(w.loop, w.a.calls);
	assert_int_equal(w.stats.failed, 1);
	shortage_again(&w, false);
	upstream_world_finish(&w);
}

/* Of so many targets a failure is remembered, the latest. */
static void test_pauses_are_bounded(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		struct upstream_world w;
		struct target t = upstream_site;
		upstream_world_start(&w);
		listener_stop(w.listener);
		for (int i = 0; i < 1024 + more; i++) {
			upstream_world_ask(&w, &t, false, &w.a);
			UNTIL(w.loop, w.a.calls);
			assert_int_equal(w.a.kind, ERR_UNAVAILABLE);
			snprintf(t.host, sizeof t.host, "h%d.example", i);
		}
		upstream_world_listen(&w);
		shortage_again(&w, more);
		upstream_world_finish(&w);
	}
}

/* Who has taken it over hears of it. */
static void test_a_failure_of_one_taken_over(void **state)
{
	(void)state;
	struct upstream_world w;
	upstream_world_start(&w);
	upstream_world_shortage(&w);
	upstream_world_ask(&w, &upstream_site, false, &w.c);
	wire_close(&w.service[2]);
	UNTIL(w.loop, w.c.calls);
	assert_int_equal(w.c.kind, ERR_RESET);
	assert_int_equal(w.stats.failed, 1);
	upstream_world_finish(&w);
}

/* The service ends it, or the pool does: the pause outlives the last connection to the target. */
static void test_unused(void **state)
{
	(void)state;
	for (int timeout = 0; timeout < 2; timeout++) {
		struct upstream_world w;
		upstream_world_start(&w);
		upstream_world_one_ahead(&w);
		if (timeout)
			upstream_world_wait(&w, 601);
		else
			wire_close(&w.service[2]);
		UNTIL(w.loop, w.stats.open == 2);
		upstream_world_give_up(&w.a);
		upstream_world_give_up(&w.b);
		shortage_again(&w, false);
		upstream_world_wait(&w, PAUSE_S);
		shortage_again(&w, true);
		upstream_world_finish(&w);
	}
}

/* Each connection carries one request: what is begun ahead is used, and one is left in the end. */
static void test_service_without_keep_alive(void **state)
{
	(void)state;
	struct upstream_world w;
	struct upstream_request *r[] = {&w.a, &w.b};
	unsigned requests = 12;
	upstream_world_start(&w);
	for (unsigned i = 0; i < requests; i++) { /* always two at a time */
		upstream_world_ask(&w, &upstream_site, false, r[i % 2]);
		upstream_world_connected(&w, i);
		UNTIL(w.loop, r[i % 2]->calls);
		if (i)
			upstream_world_serve(&w, r[(i - 1) % 2], i - 1, false);
	}
	assert_int_equal(w.dialled, requests + 1);
	assert_int_equal(w.stats.ahead_used, w.stats.ahead - 1);
	upstream_world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_failure_is_nobodys),
		cmocka_unit_test(test_not_behind_a_failure),
		cmocka_unit_test(test_pauses_are_bounded),
		cmocka_unit_test(test_a_failure_of_one_taken_over),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_service_without_keep_alive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

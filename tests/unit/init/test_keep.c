/* When a process that is kept running is due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "init/keep.h"

#define START 1000000

static void test_pauses_double(void **state)
{
	(void)state;
	static const uint64_t want[] = {250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};
	struct keep k;
	uint64_t now = START;
	keep_init(&k, now);
	assert_int_equal(keep_due_in(&k, now), 0);
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		keep_started(&k, 7, now);
		assert_int_equal(keep_due_in(&k, now + 1), KEEP_NEVER);
		assert_int_equal(keep_ended(&k, ++now), want[i]);
		assert_int_equal(keep_due_in(&k, now), want[i]);
		assert_int_equal(keep_due_in(&k, now + want[i] - 1), 1);
		now += want[i];
		assert_int_equal(keep_due_in(&k, now), 0);
		assert_int_equal(keep_due_in(&k, now + 5), 0);
	}
	assert_int_equal(k.starts, sizeof want / sizeof *want);
}

static void test_steady(void **state)
{
	(void)state;
	struct keep k;
	keep_init(&k, START);
	keep_started(&k, 7, START);
	assert_int_equal(keep_ended(&k, START), 250);
	keep_started(&k, 8, START + 250);
	assert_int_equal(keep_ended(&k, START + 250 + KEEP_STEADY_MS - 1), 500);
	keep_started(&k, 9, START);
	assert_int_equal(keep_ended(&k, START + KEEP_STEADY_MS), 250);
}

static void test_let_go(void **state)
{
	(void)state;
	struct keep k;
	keep_init(&k, START);
	keep_started(&k, 7, START);
	keep_let_go(&k);
	assert_int_equal(keep_ended(&k, START + 1), KEEP_NEVER);
	assert_int_equal(k.pid, 0);
	assert_int_equal(keep_due_in(&k, START + 100000), KEEP_NEVER);
}

static void test_fork_fails(void **state)
{
	(void)state;
	struct keep k;
	keep_init(&k, START);
	keep_started(&k, -1, START);
	assert_int_equal(k.pid, 0);
	assert_int_equal(k.starts, 0);
	assert_int_equal(keep_due_in(&k, START), KEEP_PAUSE_MAX_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pauses_double),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_let_go),
		cmocka_unit_test(test_fork_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

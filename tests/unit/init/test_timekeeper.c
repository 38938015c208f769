/* When the clock is stepped, slewed or left alone, and when it cannot be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/log.h"
#include "init/timekeeper.h"

struct fake {
	int64_t offset_ns, now, stepped, slewed;
	bool broken;
	int looks, closed;
};

static bool offset(void *arg, int64_t *ns, struct error *err)
{
	struct fake *f = arg;
	f->looks++;
	*ns = f->offset_ns;
	return !f->broken || error_set(err, ERR_IO, "gone");
}

static bool step(void *arg, int64_t ns, struct error *err)
{
	(void)err;
	((struct fake *)arg)->stepped += ns;
	return true;
}

static bool slew(void *arg, int64_t ns, struct error *err)
{
	(void)err;
	((struct fake *)arg)->slewed += ns;
	return true;
}

static int64_t now(void *arg)
{
	return ((struct fake *)arg)->now;
}
static void end(void *arg)
{
	((struct fake *)arg)->closed++;
}

static struct timekeeper *start(struct fake *f)
{
	const struct timekeeper_ops ops = {offset, step, slew, now, end, f};
	if (!f->now)
		f->now = TIMEKEEPER_EARLIEST;
	return timekeeper_new(&ops);
}

static void look_once(struct fake *f)
{
	struct timekeeper *t = start(f);
	timekeeper_look(t);
	assert_int_equal(f->looks, 1);
	timekeeper_free(t);
	assert_int_equal(f->closed, 1);
}

static void test_corrections(void **state)
{
	(void)state;
	static const struct {
		int64_t offset, stepped, slewed;
	} cases[] = {{0, 0, 0},
		     {50000, 0, 0},
		     {-50001, 0, -50001},
		     {1000000000, 0, 1000000000},
		     {1000000001, 1000000001, 0},
		     {-86400000000000, -86400000000000, 0}};
	for (size_t i = 0; i < countof(cases); i++) {
		struct fake f = {.offset_ns = cases[i].offset};
		look_once(&f);
		assert_int_equal(f.stepped, cases[i].stepped);
		assert_int_equal(f.slewed, cases[i].slewed);
	}
}

static void test_again_and_again(void **state)
{
	(void)state;
	struct fake f = {.offset_ns = 2000000000, .broken = true};
	struct timekeeper *t = start(&f);
	timekeeper_look(t);
	assert_false(timekeeper_state(t)->in_step);
	assert_int_equal(f.stepped, 0);
	f.broken = false;
	timekeeper_look(t);
	timekeeper_look(t);
	assert_true(timekeeper_state(t)->in_step);
	assert_int_equal(timekeeper_state(t)->failures, 1);
	assert_int_equal(timekeeper_state(t)->steps, 2);
	timekeeper_free(t);
}

static void test_plausible(void **state)
{
	(void)state;
	static const struct {
		int64_t now;
		bool good;
	} cases[] = {{1, false},
		     {TIMEKEEPER_EARLIEST - 1, false},
		     {TIMEKEEPER_EARLIEST, true},
		     {TIMEKEEPER_LATEST - 1, true},
		     {TIMEKEEPER_LATEST, false}};
	for (size_t i = 0; i < countof(cases); i++) {
		struct error err;
		assert_int_equal(timekeeper_plausible(cases[i].now, &err), cases[i].good);
		if (!cases[i].good)
			assert_true(err.hop == HOP_ENCLAVE && strstr(err.text, "clock cannot be right"));
	}
}

/* Where the clock is not ours to set nothing is opened. */
static void test_real_clock(void **state)
{
	(void)state;
	struct timekeeper_ops ops;
	timekeeper_ptp(&ops, "/dev/null", false);
	assert_null(ops.offset);
	assert_true(ops.now(ops.arg) > 1700000000);
}

int main(void)
{
	log_threshold = LOG_ERROR;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corrections), cmocka_unit_test(test_again_and_again),
		cmocka_unit_test(test_plausible), cmocka_unit_test(test_real_clock)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

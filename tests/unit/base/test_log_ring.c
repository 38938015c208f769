/* The ring of lines: whole lines, oldest first; when it is full the oldest go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/log_ring.h"

static void expect(struct log_ring *r, size_t room, const char *want)
{
	char out[3 * LOG_LINE_MAX];
	size_t n = log_ring_take(r, out, room);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(out, want, n);
}

static void test_order(void **state)
{
	(void)state;
	struct log_ring *r = log_ring_new(LOG_LINE_MAX);
	expect(r, 100, "");
	log_ring_put(r, "one\n", 4);
	log_ring_put(r, "two\n", 4);
	expect(r, 3, ""); /* never a part of a line */
	expect(r, 7, "one\n");
	log_ring_put(r, "three\n", 6);
	expect(r, 100, "two\nthree\n");
	assert_int_equal(log_ring_dropped(r), 0);
	log_ring_free(r);
}

/* Far around the end, at every place a line can begin: what is kept is always the newest, whole. */
static void test_overrun(void **state)
{
	(void)state;
	struct log_ring *r = log_ring_new(LOG_LINE_MAX);
	char line[64], out[LOG_LINE_MAX];
	for (int i = 0; i < 5000; i++)
		log_ring_put(r, line,
			     (size_t)snprintf(line, sizeof line, "line %d %.*s\n", i, i % 7, "padding"));
	uint64_t dropped = log_ring_dropped(r);
	size_t n = log_ring_take(r, out, sizeof out), lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += out[i] == '\n';
	assert_int_equal(dropped + lines, 5000);
	int first;
	assert_int_equal(sscanf(out, "line %d", &first), 1);
	assert_int_equal(first, dropped);
	assert_true(n > LOG_LINE_MAX - 64);
	log_ring_free(r);
}

static void test_tap(void **state)
{
	(void)state;
	char out[LOG_LINE_MAX];
	struct log_ring *r = log_ring_new(LOG_LINE_MAX);
	log_tap(log_ring_put, r);
	log_write(LOG_INFO, "tapped", LOG_INT("n", 7));
	log_tap(NULL, NULL);
	log_write(LOG_INFO, "not tapped");
	size_t n = log_ring_take(r, out, sizeof out);
	assert_true(n > 0 && out[n - 1] == '\n');
	assert_non_null(memmem(out, n, "msg=tapped n=7\n", 15));
	log_ring_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_overrun),
					   cmocka_unit_test(test_tap)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

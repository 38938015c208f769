/* Targets: one entry each, there as long as it is held, whatever else shares its bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "proxy/target_map.h"

static void test_one(void **state)
{
	(void)state;
	struct target_map *m = target_map_new();
	assert_null(target_map_find(m, "a.example", 443, true));
	struct target_entry *e = target_map_hold(m, "a.example", 443, true);
	assert_int_equal(e->users, 1);
	assert_ptr_equal(target_map_find(m, "a.example", 443, true), e);
	assert_ptr_equal(target_map_hold(m, "a.example", 443, true), e);
	assert_int_equal(e->users, 2);
	assert_null(target_map_find(m, "a.example", 444, true));
	assert_null(target_map_find(m, "a.example", 443, false));
	assert_null(target_map_find(m, "a.exampl", 443, true));
	target_map_release(m, e);
	assert_ptr_equal(target_map_find(m, "a.example", 443, true), e);
	target_map_release(m, e);
	assert_null(target_map_find(m, "a.example", 443, true));
	e = target_map_hold(m, "a.example", 443, true);
	target_map_keep(e);
	target_map_release(m, e);
	assert_ptr_equal(target_map_find(m, "a.example", 443, true), e);
	target_map_unkeep(m, e);
	assert_null(target_map_find(m, "a.example", 443, true));
	target_map_free(m);
}

/* More than there are buckets, released in another order than they were made. */
static void test_many(void **state)
{
	(void)state;
	enum { N = 5000 };
	static struct target_entry *entry[N];
	struct target_map *m = target_map_new();
	char host[32];
	for (int i = 0; i < N; i++) {
		snprintf(host, sizeof host, "h%d.example", i / 2);
		entry[i] = target_map_hold(m, host, 443, i % 2);
	}
	for (int step = 0; step < 7; step++)
		for (int i = step; i < N; i += 7) {
			snprintf(host, sizeof host, "h%d.example", i / 2);
			assert_ptr_equal(target_map_find(m, host, 443, i % 2), entry[i]);
			assert_int_equal(entry[i]->users, 1);
			target_map_release(m, entry[i]);
			assert_null(target_map_find(m, host, 443, i % 2));
		}
	target_map_free(m); /* which checks that it is empty */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

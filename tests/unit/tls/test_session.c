/* The store of tickets: bounded, once each, newest first, gone in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tls/session.h"

#define A SPAN("a.test:443")
#define B SPAN("b.test:443")

static uint8_t buf[SESSION_MAX_BYTES];

static void newest_first_and_once(void **state)
{
	(void)state;
	struct session_cache *c = session_cache_new(8);
	session_put(c, A, SPAN("one"), 100);
	session_put(c, A, SPAN("four"), 100);
	assert_int_equal(session_take(c, B, 1, buf), 0);
	assert_int_equal(session_take(c, A, 1, buf), 4);
	assert_memory_equal(buf, "four", 4);
	assert_int_equal(session_take(c, A, 1, buf), 3);
	assert_int_equal(session_take(c, A, 1, buf), 0);
	session_cache_free(c);
}

static void expired_ones_are_gone(void **state)
{
	(void)state;
	struct session_cache *c = session_cache_new(8);
	session_put(c, A, SPAN("one"), 100);
	session_put(c, B, SPAN("two"), 200);
	assert_int_equal(session_take(c, A, 100, buf), 0);
	assert_int_equal(session_count(c), 1);
	assert_int_equal(session_take(c, B, 199, buf), 3);
	session_cache_free(c);
}

static void bounded(void **state)
{
	(void)state;
	struct session_cache *c = session_cache_new(SESSION_MAX_PER_TARGET + 1);
	for (int i = 0; i < 100; i++)
		session_put(c, A, SPAN("x"), 100);
	assert_int_equal(session_count(c), SESSION_MAX_PER_TARGET);
	session_cache_free(c);
	c = session_cache_new(6);
	for (int i = 0; i < 100; i++) {
		char key[2] = {'k', (char)i};
		session_put(c, (struct span){key, 2}, SPAN("x"), 100);
	}
	assert_int_equal(session_count(c), 6);
	assert_int_equal(session_take(c, A, 1, buf), 0);
	session_put(c, A, (struct span){(char *)buf, sizeof buf + 1}, 100);
	assert_int_equal(session_take(c, A, 1, buf), 0);
	session_cache_free(c);
}

static void forgotten(void **state)
{
	(void)state;
	struct session_cache *c = session_cache_new(6);
	session_put(c, A, SPAN("x"), 100);
	session_put(c, B, SPAN("x"), 100);
	session_forget(c, A);
	assert_int_equal(session_count(c), 1);
	assert_int_equal(session_take(c, B, 1, buf), 1);
	session_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_first_and_once),
		cmocka_unit_test(expired_ones_are_gone),
		cmocka_unit_test(bounded),
		cmocka_unit_test(forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

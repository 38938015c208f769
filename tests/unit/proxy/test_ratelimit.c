#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/ratelimit.h"

#define HOUR 3600000

static struct ratelimit *make(uint32_t per_second, uint32_t burst, uint32_t at_a_time, uint32_t clients)
{
	return ratelimit_new(&(struct ratelimit_settings){per_second, burst, at_a_time, clients, 1});
}

/* One request from begin to end: 0, or after how many seconds to come again. */
static unsigned request(struct ratelimit *r, const char *key, uint64_t now)
{
	unsigned wait = 0;
	struct error err = {0};
	struct ratelimit_client *c = ratelimit_begin(r, key, now, &wait, &err);

	if (c) {
		ratelimit_done(r, c);
		return 0;
	}
	assert_int_equal(err.kind, ERR_RATE);
	assert_true(wait >= 1);
	return wait;
}

static void rate(void **state)
{
	struct ratelimit *r = make(10, 3, 0, 8);
	uint64_t now = HOUR;
	(void)state;

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(request(r, "a", now), 0);
	assert_int_equal(request(r, "a", now), 1);
	assert_int_equal(request(r, "b", now), 0); /* another client has its own bucket */
	assert_int_equal(request(r, "a", now + 99), 1);
	assert_int_equal(request(r, "a", now + 100),
			 0); /* a tenth of a second is a token, being refused cost none */
	assert_int_equal(request(r, "a", now + 100), 1);
	now += 24 * HOUR; /* never more than the burst */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(request(r, "a", now), 0);
	assert_int_equal(request(r, "a", now), 1);
	assert_int_equal(request(r, "a", now - 5), 1); /* a clock that stands or goes back gives nothing */
	ratelimit_free(r);
}

/* Workers read the clock each for itself: what one has been given for a moment, no other gets for it once more. */
static void clocks_that_differ(void **state)
{
	struct ratelimit *r = make(10, 1, 0, 1);
	(void)state;

	assert_int_equal(request(r, "a", 1000), 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(request(r, "a", 1090), 1);
		assert_int_equal(request(r, "a", 1010), 1);
	}
	assert_int_equal(request(r, "a", 1100), 0);
	ratelimit_free(r);
}

/* Over a long time the rate is exact, whatever the steps. */
static void rate_in_the_long_run(void **state)
{
	static const unsigned steps[] = {1, 3, 7, 97, 333};
	(void)state;

	for (size_t i = 0; i < countof(steps); i++) {
		struct ratelimit *r = make(3, 3, 0, 1);
		unsigned taken = 0;

		for (uint64_t now = 0; now < 20000; now += steps[i])
			taken += request(r, "a", now) == 0;
		assert_in_range(taken, 61, 63); /* the burst, and sixty */
		ratelimit_free(r);
	}
}

static void extreme_settings(void **state)
{
	struct ratelimit *r = make(UINT32_MAX, UINT32_MAX, 0, 1);
	(void)state;

	assert_int_equal(request(r, "a", 0), 0);
	assert_int_equal(request(r, "a", UINT64_MAX), 0);
	ratelimit_free(r);
	r = make(0, 0, 0, 1); /* no limit at all */
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(request(r, "a", 0), 0);
	ratelimit_free(r);
	r = make(5, 0, 0, 1); /* burst follows the rate */
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(request(r, "a", 0), 0);
	assert_int_equal(request(r, "a", 0), 1);
	ratelimit_free(r);
}

static void at_a_time(void **state)
{
	struct ratelimit *r = make(0, 0, 2, 8);
	struct ratelimit_client *c[2];
	unsigned wait;
	struct error err;
	(void)state;

	for (unsigned i = 0; i < 2; i++)
		assert_non_null(c[i] = ratelimit_begin(r, "a", 0, &wait, &err));
	assert_int_equal(request(r, "a", 0), 1);
	assert_int_equal(request(r, "b", 0), 0);
	ratelimit_done(r, c[0]);
	assert_int_equal(request(r, "a", 0), 0);
	ratelimit_done(r, c[1]);
	ratelimit_free(r);
}

static void table_is_bounded(void **state)
{
	struct ratelimit *r = make(1, 1, 0, 3);
	struct ratelimit_client *c[3];
	struct error err = {0};
	unsigned wait = 0;
	char key[RATELIMIT_KEY_MAX];
	(void)state;

	/* who runs something is not forgotten, and holds its place */
	for (unsigned i = 0; i < 3; i++) {
		snprintf(key, sizeof key, "busy %u", i);
		assert_non_null(c[i] = ratelimit_begin(r, key, 0, &wait, &err));
	}
	assert_null(ratelimit_begin(r, "new", 0, &wait, &err));
	assert_int_equal(wait, 1);
	ratelimit_done(r, c[1]);
	assert_int_equal(request(r, "new", 0), 0);
	ratelimit_done(r, c[0]);
	ratelimit_done(r, c[2]);

	/* many come and go; the last three are known, and one that was pushed out begins anew */
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(key, sizeof key, "%u", i);
		assert_int_equal(request(r, key, 0), 0);
	}
	assert_int_equal(request(r, "9999", 0), 1);
	assert_int_equal(request(r, "9998", 0), 1);
	assert_int_equal(request(r, "9997", 0), 1);
	assert_int_equal(request(r, "9996", 0), 0);
	ratelimit_free(r);
}

/* A client that is refused again and again is not forgotten for it while others come and go. */
static void hammering_is_no_quiet(void **state)
{
	struct ratelimit *r = make(1, 1, 0, 2);
	char key[RATELIMIT_KEY_MAX];
	(void)state;

	assert_int_equal(request(r, "loud", 0), 0);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(request(r, "loud", 0), 1);
		snprintf(key, sizeof key, "%u", i);
		assert_int_equal(request(r, key, 0), 0);
	}
	ratelimit_free(r);
}

static void keys(void **state)
{
	static const char *const rows[][2] = {
		{"192.0.2.7:4711", "192.0.2.7"},
		{"192.0.2.7:1", "192.0.2.7"},
		{"[2001:db8:1:2:3:4:5:6]:4711", "2001:db8:1:2::/64"},
		{"[2001:db8:1:2::9]:1", "2001:db8:1:2::/64"},
		{"[::1]:1", "::/64"},
		{"[::ffff:192.0.2.7]:4711", "::ffff:192.0.2.7"},
		{"cid 16", "cid 16"},
		{"uid 1000", "uid 1000"},
		{"", ""},
		{"odd:1", "odd:1"},
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct stream_peer peer = {0};
		char key[RATELIMIT_KEY_MAX];

		snprintf(peer.address, sizeof peer.address, "%s", rows[i][0]);
		ratelimit_key(&peer, key);
		assert_string_equal(key, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate),
		cmocka_unit_test(clocks_that_differ),
		cmocka_unit_test(rate_in_the_long_run),
		cmocka_unit_test(extreme_settings),
		cmocka_unit_test(at_a_time),
		cmocka_unit_test(table_is_bounded),
		cmocka_unit_test(hammering_is_no_quiet),
		cmocka_unit_test(keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

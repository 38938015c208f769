/* Whom a front lets ask: credentials, limits of one client, and those who ask how the proxy is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/front_world.h"
#include "support/until.h"

#define GET	   "GET /a HTTP/1.1\r\nHost: x\r\n"
#define CHALLENGE  "Proxy-Authenticate: Basic realm=\"nitroproxy\", charset=\"UTF-8\"\r\n"
#define WANTED	   "the proxy wants credentials"
#define MADE_WRONG "wrong proxy credentials"

static const struct front_peer local = {.address = "127.0.0.1:1", .transport = "tcp", .loopback = true},
			       neighbour = {.address = "uid 7", .transport = "unix", .uid = 7};

static void start(struct front_world *w, bool auth, unsigned at_a_time, unsigned rate, bool app)
{
	struct error err;
	front_world_init(w);
	w->app = app;
	w->settings.limits.client_connections = at_a_time;
	w->settings.limits.client_rate = rate;
	if (auth)
		text_list_add(&w->settings.access.auth, front_alice);
	assert_true(front_world_open(w, &err));
}

/* ---- credentials ---- */

static void test_credentials(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	start(&w, true, 0, 0, false);
	front_world_client(&w, &c, FRONT_STRANGER);
	for (int round = 0; round < 2; round++) { /* first they are hashed, then they are known */
		front_client_ask(&w, &c, GET FRONT_ALICE "\r\n");
		front_client_heard(&c, "self /a\n");
		front_client_ask(&w, &c, GET FRONT_WRONG "\r\n");
		front_client_heard(&c, "HTTP/1.1 407 Proxy Authentication Required\r\n");
		front_client_heard(&c, MADE_WRONG);
		front_client_heard(&c, "\"hop\":\"client\"");
	}
	front_client_ask(&w, &c, GET "\r\n");
	front_client_heard(&c, WANTED);
	front_client_heard(&c, "\"hop\":\"client\"");
	assert_int_equal(wire_count(&c, CHALLENGE), 1);
	/* Who is let in has to name a target all the same. */
	front_client_ask(&w, &c, "GET * HTTP/1.1\r\nHost: x\r\n" FRONT_ALICE "\r\n");
	front_client_heard(&c, "HTTP/1.1 400 ");
	assert_int_equal(w.routed, 2);
	wire_free(&c);
	front_world_end(&w);
}

/* A secret that cannot be read: no front, and a word about which. */
static void test_bad_secret(void **state)
{
	(void)state;
	struct front_world w;
	struct error err;
	front_world_init(&w);
	text_list_add(&w.settings.access.auth, "alice:sesame");
	assert_false(front_world_open(&w, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_memory_equal(err.text, "secret 1: ", 10);
	front_world_end(&w);
}

/* The process ends while a password is hashed: the thread's work outlives exchange and front. */
static void test_end_while_hashing(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	start(&w, true, 0, 0, false);
	front_world_client(&w, &c, FRONT_STRANGER);
	wire_say(&c, GET FRONT_ALICE "\r\n");
	while (list_empty(&w.role.running))
		loop_step(w.loop, 0);
	assert_int_equal(w.done, 0);
	wire_free(&c);
	front_world_end(&w);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.routed, 0);
}

/* ---- how much one client may ask ---- */

static void test_at_a_time(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	start(&w, false, 1, 0, false);
	for (int round = 0; round < 2; round++) { /* what is over, counts no more */
		front_world_client(&w, &c, FRONT_STRANGER);
		w.holds = true;
		wire_say(&c, GET "\r\n");
		UNTIL(w.loop, w.held);
		w.holds = false;
		/* the same from another port, then another one */
		front_world_ask(&w, (struct front_peer){.address = "192.0.2.7:1"}, GET "\r\n",
				"this client has too many requests running");
		assert_int_equal(w.last.err.kind, ERR_RATE);
		assert_int_equal(w.last.err.hop, HOP_CLIENT);
		front_world_ask(&w, (struct front_peer){.address = "192.0.2.8:1"}, GET "\r\n", "self /a\n");
		front_world_answer(&w);
		UNTIL(w.loop, wire_heard(&c, "self /a\n"));
		wire_free(&c);
		front_world_turn(&w);
	}
	front_world_end(&w);
}

static void test_rate(void **state)
{
	(void)state;
	struct front_world w;
	start(&w, false, 0, 1, false);
	front_world_ask(&w, FRONT_STRANGER, GET "\r\n", "self /a\n");
	front_world_ask(&w, FRONT_STRANGER, GET "\r\n", "HTTP/1.1 429 Too Many Requests\r\n");
	front_world_ask(&w, FRONT_STRANGER, GET "\r\n", "Retry-After: 1\r\n");
	front_world_end(&w);
}

/* Who guesses is slowed down by the limit, too: it is asked first. */
static void test_rate_before_credentials(void **state)
{
	(void)state;
	struct front_world w;
	start(&w, true, 0, 1, false);
	front_world_ask(&w, FRONT_STRANGER, GET FRONT_WRONG "\r\n", MADE_WRONG);
	front_world_ask(&w, FRONT_STRANGER, GET FRONT_ALICE "\r\n", "HTTP/1.1 429 ");
	front_world_end(&w);
}

/* Whoever is refused has nothing running any more. */
static void test_refused_is_over(void **state)
{
	(void)state;
	struct front_world w;
	start(&w, true, 1, 0, false);
	for (int round = 0; round < 2; round++) {
		front_world_ask(&w, FRONT_STRANGER, GET "\r\n", WANTED);
		front_world_ask(&w, FRONT_STRANGER, GET FRONT_WRONG "\r\n", MADE_WRONG);
		front_world_ask(&w, FRONT_STRANGER, "GET * HTTP/1.1\r\nHost: x\r\n" FRONT_ALICE "\r\n",
				"HTTP/1.1 400 ");
	}
	front_world_end(&w);
}

/* ---- how the proxy is ---- */

static void test_probes(void **state)
{
	(void)state;
	static const char *const let_in[][2] = {
		{"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "self /health\n"},
		{"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", "self /health/live\n"},
		{"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "self /metrics\n"},
	};
	static const char *const others[] = {
		"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /health HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /health?a HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /health/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /healthy HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /attestation HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /https://a.com/health HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /health HTTP/1.1\r\nHost: x\r\nX-Target-URL: https://a.com/health\r\n\r\n",
		"CONNECT health:80 HTTP/1.1\r\nHost: health:80\r\n\r\n",
	};
	static const struct front_peer strangers[] = {
		{.address = "192.0.2.7:4711", .transport = "tcp"},
		{.address = "cid 16", .transport = "vsock"},
		{.address = NULL},
	};
	struct front_world w;
	start(&w, true, 0, 0, false);
	for (size_t i = 0; i < countof(let_in); i++) {
		front_world_ask(&w, local, let_in[i][0], let_in[i][1]);
		front_world_ask(&w, neighbour, let_in[i][0], let_in[i][1]);
		for (size_t j = 0; j < countof(strangers); j++)
			front_world_ask(&w, strangers[j], let_in[i][0], "HTTP/1.1 407 ");
	}
	for (size_t i = 0; i < countof(others); i++)
		front_world_ask(&w, local, others[i], "HTTP/1.1 407 ");
	/* .. but not for one that goes round in a circle */
	front_world_ask(
		&w, local,
		"GET /health HTTP/1.1\r\nHost: x\r\nVia: 1.1 nitroproxy-world-0000000000000abc\r\n\r\n",
		"HTTP/1.1 508 ");
	front_world_end(&w);
}

/* They are answered when their client has used up what it may ask, and use up nothing. */
static void test_probes_beyond_the_rate(void **state)
{
	(void)state;
	struct front_world w;
	start(&w, false, 0, 1, false);
	front_world_ask(&w, local, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "self /health\n");
	front_world_ask(&w, local, GET "\r\n", "self /a\n");
	front_world_ask(&w, local, GET "\r\n", "HTTP/1.1 429 ");
	front_world_ask(&w, local, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "self /health\n");
	front_world_end(&w);
}

/* An application's clients prove to it who they are, and its /health is its own: one of many requests. */
static void test_app(void **state)
{
	(void)state;
	struct front_world w;
	start(&w, true, 0, 1, true);
	front_world_ask(&w, local, GET "\r\n", "self /a\n");
	front_world_ask(&w, local, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 429 ");
	front_world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_bad_secret),
		cmocka_unit_test(test_end_while_hashing),
		cmocka_unit_test(test_at_a_time),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_before_credentials),
		cmocka_unit_test(test_refused_is_over),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_probes_beyond_the_rate),
		cmocka_unit_test(test_app),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

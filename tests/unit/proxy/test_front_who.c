/* Whom a front lets ask: credentials, limits of one client, and those who ask how the proxy is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Alice's password, which is sent in base64, in all memory of this process: heap and stacks, also freed. */
static unsigned passwords(void)
{
	static const char password[] = "open:sesame";
	enum { N = sizeof password - 1, ROOM = 65536 };
	uint64_t from, to;
	char line[512], may[8];
	unsigned count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	/* Shared, which is not looked at: what is read is not found once more. */
	char *bytes = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(maps && memory >= 0 && bytes != MAP_FAILED);
	while (fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, may) != 3 || may[1] != 'w' ||
		    may[3] == 's' || to - from > 1u << 28) /* that large is the sanitizer's alone */
			continue;
		for (; from + N <= to; from += ROOM - N + 1) {
			ssize_t n = pread(memory, bytes, to - from < ROOM ? to - from : ROOM, (off_t)from);
			for (char *hit = bytes;
			     n > 0 && (hit = memmem(hit, (size_t)(bytes + n - hit), password, N)); hit += N)
				count++;
		}
	}
	munmap(bytes, ROOM);
	close(memory);
	fclose(maps);
	return count;
}

static void test_password_is_wiped(void **state)
{
	(void)state;
	struct front_world w;
	start(&w, true, 0, 0, false);
	front_world_ask(&w, FRONT_STRANGER, GET FRONT_ALICE "\r\n", "self /a\n");
	assert_int_equal(passwords(), 0);
	front_world_ask(&w, FRONT_STRANGER, GET FRONT_ALICE "\r\n", "self /a\n");
	assert_int_equal(passwords(), 0);
	front_world_end(&w);
}

#define HASHED 8 /* more than there are threads */

struct ending {
	struct front_world w;
	struct task task;
};

/* In the turn in which the requests have come: no thread can have told the loop of its end. */
static void on_end(struct task *t)
{
	struct ending *e = container_of(t, struct ending, task);
	unsigned running = 0;
	LIST_EACH (it, &e->w.role.running)
		running++;
	assert_int_equal(running, HASHED);
	assert_int_equal(e->w.done, 0);
	assert_int_equal(passwords(), HASHED); /* each once */
	front_world_stop(&e->w);
}

/* The process ends while passwords are hashed: the threads' work outlives exchanges and front. */
static void test_end_while_hashing(void **state)
{
	(void)state;
	struct ending e = {.task = {.run = NULL}};
	struct wire c[HASHED];
	start(&e.w, true, 0, 0, false);
	for (size_t i = 0; i < HASHED; i++)
		front_world_client(&e.w, &c[i], FRONT_STRANGER);
	for (size_t i = 0; i < HASHED; i++)
		wire_say(&c[i], GET FRONT_ALICE "\r\n");
	loop_post(e.w.loop, &e.task, on_end);
	UNTIL(e.w.loop, !e.w.front);
	for (size_t i = 0; i < HASHED; i++)
		wire_free(&c[i]);
	front_world_end(&e.w);
	assert_int_equal(e.w.done, HASHED);
	assert_int_equal(e.w.routed, 0);
	assert_int_equal(passwords(), 0);
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
	assert_int_equal(w.last.retry_after, 1);
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
		cmocka_unit_test(test_password_is_wiped),
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

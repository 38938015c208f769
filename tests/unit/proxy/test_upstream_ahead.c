/*
 * Connections opened ahead of a request, through a tunnel that the test speaks for: when there is one and when not,
 * who gets it, what it may not take, and what becomes of it if nobody wants it. The clock is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "net/listener.h"
#include "proxy/trace.h"
#include "proxy/tunnel_message.h"
#include "proxy/upstream.h"
#include "support/until.h"
#include "support/wire.h"

#define CONNECTIONS 16
#define SHORT_S	    6  /* longer than a shortage is remembered */
#define PAUSE_S	    31 /* than a pause lasts */

static time_t later; /* seconds that the clock was put forward */

int clock_gettime(clockid_t id, struct timespec *t)
{
	int failed = (int)syscall(SYS_clock_gettime, id, t);
	t->tv_sec += later;
	return failed;
}

struct request {
	unsigned calls;
	struct leg *leg;
	bool reused, sent, ended;
	enum error_kind kind;
	struct trace trace;
};

struct world {
	struct loop *loop;
	char directory[32], path[64];
	struct listener *listener;
	struct wire service[CONNECTIONS]; /* in the order in which they were dialled */
	unsigned dialled;
	struct upstream *upstream;
	struct upstream_stats stats;
	struct upstream_config config;
};

static const struct target site = {.kind = TARGET_URL, .host = "a.example", .port = 80};
static const struct target raw = {.kind = TARGET_TUNNEL, .host = "a.example", .port = 80};

static void on_accept(void *arg, struct stream *s)
{
	struct world *w = arg;
	assert_in_range(w->dialled, 0, CONNECTIONS - 1);
	wire_start(&w->service[w->dialled++], s, 4096);
}

static void listen_again(struct world *w)
{
	struct error err;
	w->listener = listener_start(w->loop, &w->config.reach.tunnel, on_accept, w, &err);
	assert_non_null(w->listener);
}

static void start_with(struct world *w, unsigned connections, unsigned idle, unsigned total)
{
	struct error err;
	later = 0;
	*w = (struct world){.loop = loop_new(),
			    .config = {.reach = {.tunnel_ms = 600000, .tls_ms = 600000},
				       .limits = PARSE_LIMITS_MAX,
				       .connections_per_target = connections,
				       .idle_per_target = idle,
				       .idle_total = total,
				       .idle_ms = 600000}};
	strcpy(w->directory, "/tmp/np-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof w->path, "unix:%s/s", w->directory);
	assert_true(address_parse(w->path, &w->config.reach.tunnel, &err));
	listen_again(w);
	w->config.stats = &w->stats;
	w->upstream = upstream_new(w->loop, &w->config);
}

static void start(struct world *w)
{
	start_with(w, 8, 8, 8);
}

static void finish(struct world *w)
{
	upstream_free(w->upstream);
	listener_stop(w->listener);
	for (unsigned i = 0; i < w->dialled; i++)
		wire_free(&w->service[i]);
	while (loop_step(w->loop, 0))
		;
	loop_free(w->loop);
	rmdir(w->directory);
}

static void turn(struct world *w)
{
	for (int i = 0; i < 10; i++)
		loop_step(w->loop, 0);
}

static void wait(struct world *w, time_t seconds)
{
	later += seconds;
	turn(w);
}

/* ---- requests, and the service ---- */

static void on_open(void *arg, struct leg *leg, bool reused, const struct error *err)
{
	struct request *r = arg;
	r->calls++;
	r->leg = leg;
	r->reused = reused;
	r->kind = err ? err->kind : ERR_NONE;
}

static void *ask(struct world *w, const struct target *t, bool fresh, struct request *r)
{
	*r = (struct request){0};
	return upstream_open(w->upstream, t, 1, fresh, &r->trace, NULL, on_open, r);
}

static void connected(struct world *w, unsigned i)
{
	struct buf answer;
	UNTIL(w->loop, w->dialled > i && wire_heard(&w->service[i], "}"));
	wire_forget(&w->service[i]);
	buf_init(&answer, 4096);
	assert_true(tunnel_connected_write(&answer, NULL));
	wire_say_span(&w->service[i], buf_span(&answer));
	buf_free(&answer);
}

static void got(struct world *w, const struct request *r, bool reused)
{
	UNTIL(w->loop, r->calls);
	assert_int_equal(r->calls, 1);
	assert_int_equal(r->kind, ERR_NONE);
	assert_int_equal(r->reused, reused);
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct request *r = arg;
	assert_null(err);
	r->ended = part->end;
	block_put(part->data);
	if (!part->end)
		leg_read(r->leg, on_part, r);
}

static void on_sent(void *arg, const struct error *err)
{
	assert_null(err);
	((struct request *)arg)->sent = true;
}

/* The request of r goes over connection i; that is idle then if it stays. */
static void serve(struct world *w, struct request *r, unsigned i, bool stays)
{
	struct head h;
	struct part part = {.head = &h, .end = true};
	head_init_request(&h, SPAN("GET"), SPAN("/"));
	head_add(&h, SPAN("Host"), SPAN("x"));
	leg_send(r->leg, &part, on_sent, r);
	leg_read(r->leg, on_part, r);
	UNTIL(w->loop, wire_heard(&w->service[i], "\r\n\r\n"));
	wire_forget(&w->service[i]);
	wire_say(&w->service[i],
		 stays ? "HTTP/1.1 204 Fine\r\n\r\n" : "HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n");
	UNTIL(w->loop, r->ended && r->sent);
	leg_close(r->leg, NULL);
}

static void give_up(struct request *r)
{
	leg_close(r->leg, NULL);
}

/* Two at a time for the first time: connections 0 and 1 are theirs, and 2 is begun ahead. */
static void shortage(struct world *w, struct request *a, struct request *b)
{
	ask(w, &site, false, a);
	connected(w, 0);
	got(w, a, false);
	assert_int_equal(w->stats.ahead, 0);
	ask(w, &site, false, b);
	assert_int_equal(w->stats.ahead, 1);
	connected(w, 1);
	got(w, b, false);
	UNTIL(w->loop, w->dialled == 3);
}

/* ---- when there is one ---- */

static void test_one_after_the_other(void **state)
{
	(void)state;
	struct world w;
	struct request r;
	start(&w);
	for (int i = 0; i < 5; i++) {
		ask(&w, &site, false, &r);
		if (i == 0)
			connected(&w, 0);
		got(&w, &r, i > 0);
		serve(&w, &r, 0, true);
	}
	turn(&w);
	assert_int_equal(w.dialled, 1);
	assert_int_equal(w.stats.ahead, 0);
	finish(&w);
}

static void test_the_next_request_finds_it_idle(void **state)
{
	(void)state;
	struct world w;
	struct request a, b, c;
	start(&w);
	shortage(&w, &a, &b);
	connected(&w, 2);
	UNTIL(w.loop, w.stats.idle == 1);
	assert_int_equal(w.stats.open, 3);
	ask(&w, &site, false, &c);
	got(&w, &c, true); /* it may be stale, as any that was idle */
	assert_int_equal(w.stats.ahead_used, 1);
	UNTIL(w.loop, w.dialled == 4); /* c has taken the last one */
	serve(&w, &c, 2, true);
	ask(&w, &site, false, &c);
	got(&w, &c, true);
	assert_int_equal(w.stats.ahead_used, 1); /* once */
	assert_int_equal(w.stats.ahead, 2);	 /* one at a time: connection 3 is not there yet */
	give_up(&a);
	give_up(&b);
	give_up(&c);
	finish(&w);
}

static void test_one_that_is_begun_is_taken_over(void **state)
{
	(void)state;
	for (int fresh = 0; fresh < 2; fresh++) {
		struct world w;
		struct request a, b, c;
		start(&w);
		shortage(&w, &a, &b);
		ask(&w, &site, fresh, &c);
		assert_int_equal(w.stats.ahead_used, 1);
		connected(&w, 2);
		got(&w, &c, false);
		assert_true(b.trace.tunnel_us > 0);
		assert_int_equal(c.trace.tunnel_us, 0); /* some of it was before its time */
		UNTIL(w.loop, w.dialled == 4);		/* the next one's */
		assert_int_equal(w.stats.ahead, 2);
		serve(&w, &c, 2, true);
		give_up(&a);
		give_up(&b);
		finish(&w);
	}
}

static void test_a_shortage_is_forgotten(void **state)
{
	(void)state;
	struct world w;
	struct request a, b, c;
	start(&w);
	shortage(&w, &a, &b);
	connected(&w, 2);
	UNTIL(w.loop, w.stats.idle == 1);
	wait(&w, SHORT_S);
	ask(&w, &site, false, &c);
	got(&w, &c, true);
	turn(&w);
	assert_int_equal(w.dialled, 3);
	give_up(&a);
	give_up(&b);
	give_up(&c);
	finish(&w);
}

/* ---- bounds ---- */

static void test_bounds(void **state)
{
	(void)state;
	static const struct {
		unsigned connections, idle, total;
		bool raw, draining;
		unsigned ahead;
	} rows[] = {
		{3, 1, 1, false, false, 1}, {2, 1, 1, false, false, 0}, {3, 0, 1, false, false, 0},
		{3, 1, 0, false, false, 0}, {3, 1, 1, true, false, 0},	{3, 1, 1, false, true, 0},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct world w;
		struct request a, b;
		start_with(&w, rows[i].connections, rows[i].idle, rows[i].total);
		if (rows[i].draining)
			upstream_drain(w.upstream);
		ask(&w, rows[i].raw ? &raw : &site, false, &a);
		ask(&w, rows[i].raw ? &raw : &site, false, &b);
		UNTIL(w.loop, w.dialled == 2 + rows[i].ahead);
		turn(&w);
		assert_int_equal(w.dialled, 2 + rows[i].ahead);
		assert_int_equal(w.stats.ahead, rows[i].ahead);
		finish(&w);
	}
}

/* It counts as any other, and stands in nobody's way. */
static void test_requests_come_first(void **state)
{
	(void)state;
	struct world w;
	struct request a, b, c, d;
	start_with(&w, 3, 3, 3);
	shortage(&w, &a, &b);
	ask(&w, &site, false, &c);
	ask(&w, &site, false, &d);
	connected(&w, 2);
	got(&w, &c, false);
	UNTIL(w.loop, d.calls);
	assert_int_equal(d.kind, ERR_LIMIT);
	give_up(&a);
	give_up(&b);
	give_up(&c);
	finish(&w);

	start_with(&w, 3, 3, 3);
	shortage(&w, &a, &b);
	ask(&w, &raw, false, &c); /* that cannot take it over */
	UNTIL(w.loop, w.service[2].heard_end);
	connected(&w, 3);
	got(&w, &c, false);
	give_up(&a);
	give_up(&b);
	give_up(&c);
	finish(&w);

	start_with(&w, 3, 3, 3);
	shortage(&w, &a, &b);
	connected(&w, 2);
	UNTIL(w.loop, w.stats.idle == 1);
	ask(&w, &raw, false, &c);
	UNTIL(w.loop, w.service[2].heard_end);
	connected(&w, 3);
	got(&w, &c, false);
	give_up(&a);
	give_up(&b);
	give_up(&c);
	finish(&w);
}

static void test_drain(void **state)
{
	(void)state;
	struct world w;
	struct request a, b;
	start(&w);
	shortage(&w, &a, &b);
	upstream_drain(w.upstream);
	UNTIL(w.loop, w.service[2].heard_end);
	serve(&w, &a, 0, true);
	ask(&w, &site, false, &a);
	got(&w, &a, true);
	turn(&w);
	assert_int_equal(w.dialled, 3);
	give_up(&a);
	give_up(&b);
	finish(&w);
}

/* ---- one that is of no use ---- */

/* Two at a time once more, after what was there is gone. begun: and one is opened ahead. */
static void shortage_again(struct world *w, bool begun)
{
	struct request a, b;
	unsigned before = w->dialled;
	UNTIL(w->loop, w->stats.open == 0);
	ask(w, &site, false, &a);
	ask(w, &site, false, &b);
	UNTIL(w->loop, w->dialled == before + 2 + begun);
	turn(w);
	assert_int_equal(w->dialled, before + 2 + begun);
	connected(w, before);
	connected(w, before + 1);
	got(w, &a, false);
	got(w, &b, false);
	give_up(&a);
	give_up(&b);
}

static void test_a_failure_is_nobodys(void **state)
{
	(void)state;
	struct world w;
	struct request a, b;
	start(&w);
	shortage(&w, &a, &b);
	wire_close(&w.service[2]);
	UNTIL(w.loop, w.stats.ahead_failed == 1);
	assert_int_equal(w.stats.failed, 0);
	assert_int_equal(a.calls + b.calls, 2);
	give_up(&a);
	give_up(&b);
	shortage_again(&w, false);
	wait(&w, PAUSE_S);
	shortage_again(&w, true);
	finish(&w);
}

static void test_not_behind_a_failure(void **state)
{
	(void)state;
	struct world w;
	struct request a;
	start(&w);
	ask(&w, &site, false, &a);
	UNTIL(w.loop, w.dialled == 1);
	wire_close(&w.service[0]);
	UNTIL(w.loop, a.calls);
	assert_int_equal(w.stats.failed, 1);
	shortage_again(&w, false);
	finish(&w);
}

/* Of so many targets a failure is remembered, the latest. */
static void test_pauses_are_bounded(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		struct world w;
		struct request r;
		struct target t = site;
		start(&w);
		listener_stop(w.listener);
		for (int i = 0; i < 1024 + more; i++) {
			ask(&w, &t, false, &r);
			UNTIL(w.loop, r.calls);
			assert_int_equal(r.kind, ERR_UNAVAILABLE);
			snprintf(t.host, sizeof t.host, "h%d.example", i);
		}
		listen_again(&w);
		shortage_again(&w, more);
		finish(&w);
	}
}

/* Who has taken it over hears of it. */
static void test_a_failure_of_one_taken_over(void **state)
{
	(void)state;
	struct world w;
	struct request a, b, c;
	start(&w);
	shortage(&w, &a, &b);
	ask(&w, &site, false, &c);
	wire_close(&w.service[2]);
	UNTIL(w.loop, c.calls);
	assert_int_equal(c.kind, ERR_RESET);
	assert_int_equal(w.stats.failed, 1);
	give_up(&a);
	give_up(&b);
	finish(&w);
}

/* The service ends it, or the pool does: the pause outlives the last connection to the target. */
static void test_unused(void **state)
{
	(void)state;
	for (int timeout = 0; timeout < 2; timeout++) {
		struct world w;
		struct request a, b;
		start(&w);
		shortage(&w, &a, &b);
		connected(&w, 2);
		UNTIL(w.loop, w.stats.idle == 1);
		if (timeout)
			wait(&w, 601);
		else
			wire_close(&w.service[2]);
		UNTIL(w.loop, w.stats.open == 2);
		give_up(&a);
		give_up(&b);
		shortage_again(&w, false);
		wait(&w, PAUSE_S);
		shortage_again(&w, true);
		finish(&w);
	}
}

/* Each connection carries one request: what is begun ahead is used, and one is left in the end. */
static void test_service_without_keep_alive(void **state)
{
	(void)state;
	struct world w;
	struct request r[2];
	unsigned requests = 12;
	start(&w);
	for (unsigned i = 0; i < requests; i++) { /* always two at a time */
		ask(&w, &site, false, &r[i % 2]);
		connected(&w, i);
		UNTIL(w.loop, r[i % 2].calls);
		if (i)
			serve(&w, &r[(i - 1) % 2], i - 1, false);
	}
	assert_int_equal(w.dialled, requests + 1);
	assert_int_equal(w.stats.ahead_used, w.stats.ahead - 1);
	give_up(&r[(requests - 1) % 2]);
	finish(&w);
}

/* ---- the end in the middle ---- */

static void test_cancel(void **state)
{
	(void)state;
	for (int turns = 0; turns < 5; turns++) {
		struct world w;
		struct request a, b, c;
		start(&w);
		shortage(&w, &a, &b);
		if (turns % 2) {
			connected(&w, 2);
			UNTIL(w.loop, w.stats.idle == 1);
		}
		void *opening = ask(&w, &site, false, &c);
		for (int i = 0; i < turns / 2 && !c.calls; i++)
			loop_step(w.loop, 0);
		if (c.calls)
			give_up(&c);
		else
			upstream_cancel(w.upstream, opening);
		turn(&w);
		assert_in_range(c.calls, 0, 1);
		give_up(&a);
		give_up(&b);
		finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_after_the_other),
		cmocka_unit_test(test_the_next_request_finds_it_idle),
		cmocka_unit_test(test_one_that_is_begun_is_taken_over),
		cmocka_unit_test(test_a_shortage_is_forgotten),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_requests_come_first),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_a_failure_is_nobodys),
		cmocka_unit_test(test_not_behind_a_failure),
		cmocka_unit_test(test_pauses_are_bounded),
		cmocka_unit_test(test_a_failure_of_one_taken_over),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_service_without_keep_alive),
		cmocka_unit_test(test_cancel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

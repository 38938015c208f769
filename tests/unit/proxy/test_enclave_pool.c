/* Connections to an enclave that the test speaks for: lent, kept, counted, and given up at every stage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "net/frame.h"
#include "net/listener.h"
#include "proxy/enclave_pool.h"
#include "support/until.h"
#include "support/wire.h"

#define CONNECTIONS 8

struct answer { /* to one opening or ping */
	unsigned calls;
	struct leg *leg;
	bool reused;
	struct error err; /* kind ERR_NONE: none */
	char status[32];
};

struct world {
	struct loop *loop;
	char directory[32], path[64];
	struct address address;
	struct listener *listener;
	struct wire enclave[CONNECTIONS]; /* its ends */
	unsigned count;
	struct enclave_pool *pool;
	struct enclave_pool_stats stats;
};

static void on_accept(void *arg, struct stream *s)
{
	struct world *w = arg;
	assert_in_range(w->count, 0, CONNECTIONS - 1);
	wire_start(&w->enclave[w->count++], s, 4096);
}

static void listen_again(struct world *w)
{
	struct error err;
	w->listener = listener_start(w->loop, &w->address, on_accept, w, &err);
	assert_non_null(w->listener);
}

static void start(struct world *w, unsigned max, uint64_t connect_ms)
{
	struct error err;
	*w = (struct world){.loop = loop_new()};
	strcpy(w->directory, "/tmp/np-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof w->path, "unix:%s/s", w->directory);
	assert_true(address_parse(w->path, &w->address, &err));
	listen_again(w);
	w->pool = enclave_pool_new(w->loop, &(struct enclave_pool_config){.enclave = w->address,
									  .stats = &w->stats,
									  .limits = PARSE_LIMITS_MAX,
									  .max = max,
									  .connect_ms = connect_ms,
									  .idle_ms = 60000});
}

static void stop_listening(struct world *w)
{
	if (w->listener)
		listener_stop(w->listener);
	w->listener = NULL;
}

static void finish(struct world *w)
{
	enclave_pool_free(w->pool);
	stop_listening(w);
	for (unsigned i = 0; i < w->count; i++)
		wire_free(&w->enclave[i]);
	while (loop_step(w->loop, 0))
		;
	loop_free(w->loop);
	rmdir(w->directory);
}

static void on_open(void *arg, struct leg *leg, bool reused, const struct error *err)
{
	struct answer *a = arg;
	a->calls++;
	a->leg = leg;
	a->reused = reused;
	assert_int_equal(leg == NULL, err != NULL);
	if (err)
		a->err = *err;
}

static void on_ping(void *arg, struct span status, uint64_t us, const struct error *err)
{
	struct answer *a = arg;
	(void)us;
	a->calls++;
	if (err)
		a->err = *err;
	assert_in_range(status.n, 0, sizeof a->status - 1);
	memcpy(a->status, status.p ? status.p : "", status.n);
}

static void say(struct wire *w, enum frame_type type, const char *payload)
{
	uint8_t header[FRAME_HEADER];
	frame_header(header, type, strlen(payload));
	wire_say_span(w, (struct span){(const char *)header, sizeof header});
	wire_say(w, payload);
}

static void ping_well(struct world *w, unsigned connection)
{
	struct answer a = {0};
	enclave_pool_ping(w->pool, on_ping, &a);
	UNTIL(w->loop, w->count > connection && w->enclave[connection].heard.n == FRAME_HEADER);
	assert_int_equal(w->enclave[connection].heard.p[4], FRAME_PING);
	wire_forget(&w->enclave[connection]);
	say(&w->enclave[connection], FRAME_PONG, "{\"a\":1}");
	UNTIL(w->loop, a.calls);
	assert_int_equal(a.err.kind, ERR_NONE);
	assert_string_equal(a.status, "{\"a\":1}");
}

static void open_well(struct world *w, bool fresh, bool reused, struct answer *a)
{
	*a = (struct answer){0};
	enclave_pool_open(w->pool, 1, fresh, on_open, a);
	assert_int_equal(a->calls, 0); /* never from within the call */
	UNTIL(w->loop, a->calls);
	assert_int_equal(a->err.kind, ERR_NONE);
	assert_int_equal(a->reused, reused);
}

static void test_pings_share_a_connection(void **state)
{
	(void)state;
	struct world w;
	start(&w, 4, 5000);
	ping_well(&w, 0);
	assert_int_equal(w.stats.idle, 1);
	ping_well(&w, 0);
	assert_int_equal(w.count, 1);
	assert_int_equal(w.stats.opened, 1);
	finish(&w);
}

static void test_nobody_is_there(void **state)
{
	(void)state;
	struct world w;
	struct answer ping = {0}, opened = {0};
	start(&w, 4, 5000);
	stop_listening(&w);
	enclave_pool_ping(w.pool, on_ping, &ping);
	enclave_pool_open(w.pool, 1, false, on_open, &opened);
	UNTIL(w.loop, ping.calls && opened.calls);
	assert_int_equal(ping.err.kind, ERR_UNAVAILABLE);
	assert_int_equal(opened.err.kind, ERR_UNAVAILABLE);
	assert_int_equal(opened.err.hop, HOP_ENCLAVE);
	assert_int_equal(w.stats.failed, 2);
	assert_int_equal(w.stats.open, 0);
	listen_again(&w); /* and when it is back, so is all else */
	ping_well(&w, 0);
	finish(&w);
}

static void test_a_ping_that_is_not_answered(void **state)
{
	(void)state;
	struct world w;
	struct answer a = {0};
	start(&w, 4, 30);
	enclave_pool_ping(w.pool, on_ping, &a);
	UNTIL(w.loop, a.calls);
	assert_int_equal(a.err.kind, ERR_TIMEOUT);
	assert_int_equal(a.err.hop, HOP_ENCLAVE);
	assert_int_equal(w.stats.open, 0);
	UNTIL(w.loop, w.enclave[0].heard_end);
	finish(&w);
}

static void test_limit(void **state)
{
	(void)state;
	struct world w;
	struct answer a, b, third = {0};
	start(&w, 2, 5000);
	open_well(&w, false, false, &a);
	open_well(&w, false, false, &b);
	enclave_pool_open(w.pool, 1, false, on_open, &third);
	UNTIL(w.loop, third.calls);
	assert_int_equal(third.err.kind, ERR_LIMIT);
	assert_int_equal(third.err.hop, HOP_HOST);
	leg_close(a.leg, NULL);
	open_well(&w, false, false, &a); /* what was given up makes room */
	leg_close(a.leg, NULL);
	leg_close(b.leg, NULL);
	UNTIL(w.loop, w.stats.open == 0);
	finish(&w);
}

/* One that only waits gives way to one that must be new. */
static void test_idle_makes_room(void **state)
{
	(void)state;
	struct world w;
	struct answer a;
	start(&w, 1, 5000);
	ping_well(&w, 0);
	open_well(&w, true, false, &a);
	assert_int_equal(w.stats.open, 1);
	UNTIL(w.loop, w.enclave[0].heard_end);
	leg_close(a.leg, NULL);
	finish(&w);
}

/* The enclave has closed it, or said what nobody asked for, while it was idle. */
static void test_idle_that_has_died(void **state)
{
	(void)state;
	for (int talks = 0; talks < 2; talks++) {
		struct world w;
		struct answer a;
		start(&w, 4, 5000);
		ping_well(&w, 0);
		if (talks)
			say(&w.enclave[0], FRAME_PONG, "{}");
		else
			wire_close(&w.enclave[0]);
		UNTIL(w.loop, w.stats.open == 0);
		open_well(&w, false, false, &a);
		assert_int_equal(w.stats.opened, 2);
		leg_close(a.leg, NULL);
		finish(&w);
	}
}

/* Given up after so many turns of the loop: no callback, nothing left. */
static void test_cancel(void **state)
{
	(void)state;
	for (int turns = 0; turns < 4; turns++)
		for (int idle = 0; idle < 2; idle++) {
			struct world w;
			struct answer a = {0};
			start(&w, 4, 5000);
			if (idle)
				ping_well(&w, 0);
			void *opening = enclave_pool_open(w.pool, 1, false, on_open, &a);
			for (int i = 0; i < turns && !a.calls; i++)
				loop_step(w.loop, 0);
			if (a.calls)
				leg_close(a.leg, NULL);
			else
				enclave_pool_cancel(w.pool, opening);
			unsigned calls = a.calls;
			for (int i = 0; i < 10; i++)
				loop_step(w.loop, 0);
			assert_int_equal(a.calls, calls);
			finish(&w);
		}
}

/* The pool goes while it dials, pings, and waits. */
static void test_end_in_the_middle(void **state)
{
	(void)state;
	for (int turns = 0; turns < 5; turns++) {
		struct world w;
		struct answer ping = {0}, opened = {0};
		start(&w, 4, 5000);
		enclave_pool_ping(w.pool, on_ping, &ping);
		for (int i = 0; i < turns; i++)
			loop_step(w.loop, 0);
		if (turns == 1)
			enclave_pool_open(w.pool, 1, false, on_open, &opened);
		finish(&w);
		assert_int_equal(ping.calls + opened.calls, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pings_share_a_connection),
		cmocka_unit_test(test_nobody_is_there),
		cmocka_unit_test(test_a_ping_that_is_not_answered),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_idle_makes_room),
		cmocka_unit_test(test_idle_that_has_died),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_end_in_the_middle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The connection that carries log lines and metrics: both ends of it, cut, taken over, and lied to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/config.h"
#include "base/log.h"
#include "net/frame.h"
#include "net/listener.h"
#include "proxy/signals.h"
#include "support/mem_stream.h"
#include "support/until.h"
#include "support/wire.h"

#define METRIC "nitroproxy_a{role=\"enclave\"} 1\n"
#define LINE   "time=2026-01-02T03:04:05.678Z level=info role=enclave msg=start"

static const size_t capacities[] = {1, 7, 4096};

/* ---- the enclave's side ---- */

struct out {
	struct loop *loop;
	struct log_ring *ring;
	struct signals_out *signals;
	unsigned rendered;
};

static void render(void *arg, struct buf *to)
{
	struct out *o = arg;
	o->rendered++;
	buf_add_text(to, METRIC);
}

static void out_start(struct out *o)
{
	*o = (struct out){.loop = loop_new(), .ring = log_ring_new(LOG_LINE_MAX)};
	o->signals = signals_out_new(o->loop, render, o);
	signals_out_lines(o->signals, o->ring);
}

static void out_end(struct out *o)
{
	signals_out_free(o->signals);
	log_ring_free(o->ring);
	loop_free(o->loop);
}

static struct stream *watch(struct out *o, struct wire *w, size_t capacity)
{
	struct stream *near, *far;
	mem_pair(o->loop, capacity, &near, &far);
	wire_start(w, far, 64);
	signals_out_watch(o->signals, near);
	return near;
}

static struct span frame(struct buf *b, enum frame_type type, const char *payload)
{
	uint8_t header[FRAME_HEADER];
	frame_header(header, type, strlen(payload));
	buf_init(b, 1 << 20);
	buf_add(b, header, sizeof header);
	buf_add_text(b, payload);
	return buf_span(b);
}

/* What a watcher hears of two lines: these first, then the metrics. */
static void expected(struct buf *both)
{
	struct buf lines, metrics;
	buf_init(both, 1 << 20);
	buf_add_span(both, frame(&lines, FRAME_LOG, "one\ntwo\n"));
	buf_add_span(both, frame(&metrics, FRAME_METRICS, METRIC));
	buf_free(&lines);
	buf_free(&metrics);
}

static void put_lines(struct out *o)
{
	log_ring_put(o->ring, "one\n", 4);
	log_ring_put(o->ring, "two\n", 4);
}

static void test_lines_then_metrics(void **state)
{
	(void)state;
	struct buf want;
	expected(&want);
	for (size_t i = 0; i < countof(capacities); i++) {
		struct out o;
		struct wire w;
		out_start(&o);
		put_lines(&o);
		watch(&o, &w, capacities[i]);
		UNTIL(o.loop, w.heard.n >= want.n);
		assert_int_equal(w.heard.n, want.n);
		assert_memory_equal(w.heard.p, want.p, want.n);
		assert_int_equal(o.rendered, 1); /* the next ones are due in a second */
		log_ring_put(o.ring, "three\n", 6);
		UNTIL(o.loop, wire_heard(&w, "three\n"));
		wire_free(&w);
		out_end(&o);
	}
	buf_free(&want);
}

/* The newest has it; who watched before is told by the end of his connection. */
static void test_one_watcher(void **state)
{
	(void)state;
	struct out o;
	struct wire first, second;
	out_start(&o);
	watch(&o, &first, 4096);
	UNTIL(o.loop, wire_heard(&first, METRIC));
	watch(&o, &second, 4096);
	UNTIL(o.loop, first.heard_end && wire_heard(&second, METRIC));
	wire_forget(&first);
	put_lines(&o);
	UNTIL(o.loop, wire_heard(&second, "one\ntwo\n"));
	assert_int_equal(first.heard.n, 0);
	wire_free(&first);
	wire_free(&second);
	out_end(&o);
}

/* A watcher has nothing to say; one that does, or goes, is let go, and the next is served. */
static void test_watchers_that_leave(void **state)
{
	(void)state;
	struct out o;
	struct wire talks, goes, last;
	out_start(&o);
	watch(&o, &talks, 7);
	wire_say(&talks, "x");
	UNTIL(o.loop, talks.heard_end);
	watch(&o, &goes, 7);
	wire_close(&goes);
	for (int i = 0; i < 50; i++)
		loop_step(o.loop, 0);
	put_lines(&o);
	watch(&o, &last, 7);
	UNTIL(o.loop, wire_heard(&last, "one\ntwo\n") && wire_heard(&last, METRIC));
	wire_free(&talks);
	wire_free(&goes);
	wire_free(&last);
	out_end(&o);
}

/* Broken at every byte of the first two frames: nothing is left behind, and the next watcher gets on. */
static void test_broken_at_each_byte(void **state)
{
	(void)state;
	struct buf want;
	expected(&want);
	for (size_t n = 0; n <= want.n; n++) {
		struct out o;
		struct wire w, next;
		out_start(&o);
		put_lines(&o);
		mem_fail(watch(&o, &w, 4096), n);
		for (int i = 0; i < 20; i++)
			loop_step(o.loop, 0);
		assert_in_range(w.heard.n, 0, n);
		watch(&o, &next, 4096);
		UNTIL(o.loop, wire_heard(&next, METRIC));
		wire_free(&w);
		wire_free(&next);
		out_end(&o);
	}
	buf_free(&want);
}

static void test_end_in_the_middle(void **state)
{
	(void)state;
	for (int turns = 0; turns < 12; turns++) {
		struct out o;
		struct wire w;
		out_start(&o);
		put_lines(&o);
		watch(&o, &w, 1);
		for (int i = 0; i < turns; i++)
			loop_step(o.loop, 0);
		signals_out_free(o.signals);
		o.signals = NULL;
		UNTIL(o.loop, w.heard_end);
		wire_free(&w);
		out_end(&o);
	}
}

/* ---- the host's side ---- */

struct in {
	struct loop *loop;
	char directory[32], address[64];
	struct listener *listener;
	struct signals_in *signals;
	struct crew *crew; /* hears the metrics */
	struct buf told;
	struct wire enclave; /* the newest connection */
	bool connected;
	unsigned connections;
	char log[64];
};

static struct span told(struct in *in)
{
	buf_clear(&in->told);
	crew_told(in->crew, &in->told);
	return buf_span(&in->told);
}

static void on_accept(void *arg, struct stream *s)
{
	struct in *in = arg;
	if (in->connected)
		wire_free(&in->enclave);
	wire_start(&in->enclave, s, 4096);
	in->connected = true;
	in->connections++;
}

static void in_start(struct in *in)
{
	struct address a;
	struct error err;
	*in = (struct in){.loop = loop_new()};
	strcpy(in->directory, "/tmp/np-XXXXXX");
	assert_non_null(mkdtemp(in->directory));
	snprintf(in->address, sizeof in->address, "unix:%s/s", in->directory);
	assert_true(address_parse(in->address, &a, &err));
	in->listener = listener_start(in->loop, &a, on_accept, in, &err);
	assert_non_null(in->listener);
	snprintf(in->log, sizeof in->log, "%s/log", in->directory);
	assert_true(log_open(&(struct log_options){.level = LOG_INFO, .file = in->log}, &err));
	in->crew = crew_new(&(struct settings){.limits = {.attestation_rate = 1}}, 1);
	buf_init(&in->told, FRAME_METRICS_MAX);
	in->signals = signals_in_start(in->loop, &a, 1000, in->crew);
	UNTIL(in->loop, in->connected && in->enclave.heard.n == FRAME_HEADER);
}

static void in_end(struct in *in)
{
	signals_in_free(in->signals);
	crew_free(in->crew);
	buf_free(&in->told);
	if (in->connected)
		wire_free(&in->enclave);
	listener_stop(in->listener);
	while (loop_step(in->loop, 0))
		;
	loop_free(in->loop);
	log_close();
	unlink(in->log);
	rmdir(in->directory);
}

static void tell(struct in *in, enum frame_type type, const char *payload)
{
	struct buf b;
	wire_say_span(&in->enclave, frame(&b, type, payload));
	buf_free(&b);
}

static bool logged(const struct in *in, const char *text)
{
	size_t n;
	struct error err;
	char *log = config_slurp(in->log, &n, &err);
	assert_non_null(log);
	bool found = strstr(log, text) != NULL;
	free(log);
	return found;
}

static void test_host_takes_what_comes(void **state)
{
	(void)state;
	struct in in;
	struct buf b;
	in_start(&in);
	frame(&b, FRAME_WATCH, "");
	assert_memory_equal(in.enclave.heard.p, b.p, FRAME_HEADER);
	buf_free(&b);
	assert_int_equal(told(&in).n, 0);

	in.enclave.piece = 1;
	tell(&in, FRAME_LOG, LINE "\nno line of ours\n");
	tell(&in, FRAME_METRICS, METRIC);
	UNTIL(in.loop, told(&in).n);
	assert_true(span_is(told(&in), SPAN(METRIC)));
	assert_true(logged(&in, LINE "\n"));
	assert_true(logged(&in, "msg=enclave line=\"no line of ours\""));

	tell(&in, FRAME_METRICS, METRIC METRIC);
	UNTIL(in.loop, told(&in).n == 2 * (sizeof METRIC - 1));
	in_end(&in);
}

/* What is not the enclave's form ends the connection, its metrics count no more, and another is made. */
static void test_host_is_lied_to(void **state)
{
	(void)state;
	static const struct {
		enum frame_type type;
		const char *payload; /* NULL: the connection ends */
	} cases[] = {
		{FRAME_METRICS, "nitroproxy_a{role=\"host\"} 1\n"},
		{FRAME_PONG, "{}"},
		{99, "x"},
		{FRAME_LOG, NULL},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		struct in in;
		in_start(&in);
		tell(&in, FRAME_METRICS, METRIC);
		UNTIL(in.loop, told(&in).n);
		if (cases[i].payload)
			tell(&in, cases[i].type, cases[i].payload);
		else
			wire_end(&in.enclave);
		UNTIL(in.loop, !told(&in).n);
		UNTIL(in.loop, in.connections == 2 && in.enclave.heard.n == FRAME_HEADER);
		tell(&in, FRAME_METRICS, METRIC);
		UNTIL(in.loop, told(&in).n);
		in_end(&in);
	}
}

/* A header that claims more than its type may have is not waited for. */
static void test_host_is_promised_too_much(void **state)
{
	(void)state;
	struct in in;
	in_start(&in);
	wire_say_span(&in.enclave, (struct span){"\xff\xff\xff\xff\x0a", FRAME_HEADER});
	UNTIL(in.loop, in.connections == 2);
	in_end(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_then_metrics),  cmocka_unit_test(test_one_watcher),
		cmocka_unit_test(test_watchers_that_leave), cmocka_unit_test(test_broken_at_each_byte),
		cmocka_unit_test(test_end_in_the_middle),   cmocka_unit_test(test_host_takes_what_comes),
		cmocka_unit_test(test_host_is_lied_to),	    cmocka_unit_test(test_host_is_promised_too_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

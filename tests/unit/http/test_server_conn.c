/*
 * The server's side of a connection: requests in order, refusals, timeouts, lingering, draining. The role
 * here answers each request at once, when told, or never.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/server_conn.h"
#include "support/mem_stream.h"
#include "support/until.h"
#include "support/wire.h"

struct role {
	struct loop *loop;
	struct server_conn_config config;
	struct leg *leg; /* of the request that runs */
	unsigned requests, refused, closed, sent;
	enum error_kind refused_kind;
	bool answers; /* each request, as soon as its end has been read */
	bool eager;   /* does not wait for its end */
	bool ended;   /* the request has */
	struct buf body;
	struct error err; /* that a read has brought */
	int minor;
};

static void on_part(void *arg, struct part *part, const struct error *err);

static void on_sent(void *arg, const struct error *err)
{
	struct role *r = arg;
	struct leg *leg = r->leg;
	r->sent++;
	r->leg = NULL;
	leg_close(leg, err);
}

static void answer(struct role *r, enum body_framing framing)
{
	struct head h;
	struct part part = {.head = &h, .end = true};
	head_init_response(&h, 200, SPAN("OK"));
	h.framing = framing;
	if (framing == BODY_NONE)
		head_add(&h, SPAN("Content-Length"), SPAN("0"));
	leg_send(r->leg, &part, on_sent, r);
}

static void take(struct role *r, struct part *part)
{
	if (part->data)
		buf_add(&r->body, part->data->data, part->data->len);
	block_put(part->data);
	r->ended = part->end;
	if (r->answers && (r->ended || r->eager))
		answer(r, BODY_NONE);
	else if (r->answers || !r->ended)
		leg_read(r->leg, on_part, r);
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct role *r = arg;
	if (part) {
		take(r, part);
		return;
	}
	r->err = *err;
	struct leg *leg = r->leg;
	r->leg = NULL;
	leg_close(leg, err);
}

static void on_request(void *owner, struct server_conn *c, struct leg *leg, struct part *part)
{
	struct role *r = owner;
	(void)c;
	assert_null(r->leg);
	r->leg = leg;
	r->requests++;
	r->minor = part->head->minor;
	take(r, part);
}

static void on_refused(void *owner, struct server_conn *c, const struct error *err)
{
	struct role *r = owner;
	(void)c;
	r->refused++;
	r->refused_kind = err->kind;
	assert_int_equal(err->hop, HOP_CLIENT);
}

static void on_closed(void *owner, struct server_conn *c)
{
	(void)c;
	((struct role *)owner)->closed++;
}

static void start(struct role *r, struct wire *c, size_t capacity)
{
	*r = (struct role){.loop = loop_new(), .answers = true};
	r->config = (struct server_conn_config){.limits = {200, 20, 100},
						.header_ms = 20000,
						.idle_ms = 20000,
						.agent = "test",
						.on_request = on_request,
						.on_refused = on_refused,
						.on_closed = on_closed,
						.owner = r};
	list_init(&r->config.conns);
	buf_init(&r->body, 1 << 20);
	struct stream *near, *far;
	mem_pair(r->loop, capacity, &near, &far);
	wire_start(c, far, capacity);
	server_conn_start(near, &r->config);
}

static void end(struct role *r, struct wire *c)
{
	wire_free(c);
	server_conn_close_all(&r->config);
	assert_int_equal(r->config.count, 0);
	assert_int_equal(loop_blocks(r->loop)->used, 0);
	buf_free(&r->body);
	loop_free(r->loop);
}

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

static const size_t capacities[] = {1, 7, 4096};
#define EACH_CAPACITY(cap)                                                                                   \
	for (size_t i_ = 0, cap = capacities[0]; i_ < 3; cap = capacities[++i_ < 3 ? i_ : 2])

static void test_in_order(void **state)
{
	(void)state;
	EACH_CAPACITY(cap)
	{
		struct role r;
		struct wire c;
		start(&r, &c, cap);
		wire_say(&c, GET "\r\n" GET "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" GET);
		UNTIL(r.loop, wire_count(&c, "HTTP/1.1 200 OK\r\n") == 4);
		assert_int_equal(r.requests, 4);
		assert_string_equal(buf_text(&r.body), "abc");
		assert_false(wire_heard(&c, "Connection:"));
		UNTIL(r.loop, !r.leg);
		assert_int_equal(loop_blocks(r.loop)->used, 0); /* idle: nothing is held */
		wire_end(&c);
		UNTIL(r.loop, r.closed == 1);
		assert_int_equal(r.refused, 0);
		end(&r, &c);
	}
}

static const struct {
	const char *bytes, *status;
	enum error_kind kind;
} refusals[] = {
	{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 ", ERR_BAD_REQUEST},
	{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", ERR_BAD_REQUEST},
	{"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ", ERR_VERSION},
	{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 ",
	 ERR_BAD_REQUEST},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3 * countof(refusals); i++) {
		struct role r;
		struct wire c;
		start(&r, &c, capacities[i % 3]);
		wire_say(&c, GET);
		wire_say(&c, refusals[i / 3].bytes);
		UNTIL(r.loop, c.heard_end);
		if (!wire_heard(&c, refusals[i / 3].status))
			fail_msg("%s", buf_text(&c.heard));
		assert_int_equal(r.refused_kind, refusals[i / 3].kind);
		assert_int_equal(r.requests, 1);
		assert_int_equal(wire_count(&c, "HTTP/1.1 200"), 1);
		assert_true(wire_heard(&c, "Connection: close\r\n"));
		assert_true(wire_heard(&c, "Proxy-Status: test; error=http_request_error"));
		wire_end(&c); /* it lingered until now */
		UNTIL(r.loop, r.closed);
		end(&r, &c);
	}
}

/* A head that fills its limit to the byte is read; one more is refused, and not waited for. */
static void test_limit(void **state)
{
	(void)state;
	static const size_t caps[] = {7, 200, HEAD_MAX_BYTES};
	for (size_t i = 0; i < 2 * countof(caps); i++) {
		struct role r;
		struct wire c;
		size_t limit = i / 2 == 2 ? HEAD_MAX_BYTES : 200, over = i % 2;
		start(&r, &c, caps[i / 2]);
		r.config.limits.head_bytes = limit;
		wire_say(&c, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
		while (c.said.n + mem_sent(c.s) + 4 < limit + over)
			wire_say(&c, "a");
		UNTIL(r.loop, !c.said.n && !stream_writing(c.s));
		wire_say(&c, over ? "aaaa" : "\r\n\r\n");
		UNTIL(r.loop, wire_heard(&c, over ? "HTTP/1.1 431 " : "HTTP/1.1 200 "));
		end(&r, &c);
	}
}

static void test_old_clients(void **state)
{
	(void)state;
	EACH_CAPACITY(cap)
	{
		struct role r;
		struct wire c;
		start(&r, &c, cap);
		wire_say(&c, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
		UNTIL(r.loop, c.heard_end);
		assert_int_equal(wire_count(&c, "200 OK"), 2);
		assert_int_equal(wire_count(&c, "Connection: keep-alive\r\n"), 1);
		assert_int_equal(wire_count(&c, "Connection: close\r\n"), 1);
		end(&r, &c);
	}
}

static void test_timeouts(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct role r;
		struct wire c;
		start(&r, &c, 4096);
		r.config.header_ms = r.config.idle_ms = 2;
		if (i > 0) /* the first request's time was set before that */
			wire_say(&c, GET);
		if (i > 1)
			UNTIL(r.loop, r.sent == 1);
		if (i != 1)
			wire_say(&c, "GET / HT");
		UNTIL(r.loop, c.heard_end);
		assert_int_equal(wire_count(&c, "HTTP/1.1 408 "), i != 1);
		assert_int_equal(r.refused, i != 1);
		end(&r, &c);
	}
}

/* An answer before the end of the request: the rest is thrown away, and the connection ends. */
static void test_early(void **state)
{
	(void)state;
	EACH_CAPACITY(cap)
	{
		struct role r;
		struct wire c;
		start(&r, &c, cap);
		r.eager = true;
		wire_say(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n0123456789");
		UNTIL(r.loop, c.heard_end);
		assert_true(wire_heard(&c, "200 OK\r\n"));
		assert_true(wire_heard(&c, "Connection: close\r\n"));
		wire_say(&c, "01234567890123456789" GET);
		UNTIL(r.loop, !c.said.n);
		assert_false(c.lost);
		wire_end(&c);
		UNTIL(r.loop, r.closed == 1);
		assert_int_equal(r.requests, 1);
		end(&r, &c);
	}
}

static void test_cut(void **state)
{
	(void)state;
	static const char text[] = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "3\r\nabc\r\n0\r\nA: b\r\n\r\n";
	for (size_t at = 0; at < sizeof text; at++)
		for (int how = 0; how < 4; how++) {
			struct role r;
			struct wire c;
			start(&r, &c, how & 1 ? 7 : 4096);
			if (how & 2)
				mem_cut(c.s, at);
			else
				mem_fail(c.s, at);
			wire_say(&c, text);
			UNTIL(r.loop, r.closed);
			assert_null(r.leg);
			assert_int_equal(r.sent, r.requests && r.ended);
			if (at == sizeof text - 1)
				assert_true(r.ended);
			end(&r, &c);
		}
}

static void test_drain(void **state)
{
	(void)state;
	struct role r;
	struct wire c, idle;
	struct stream *near, *far;
	start(&r, &c, 4096);
	r.answers = false;
	mem_pair(r.loop, 4096, &near, &far);
	wire_start(&idle, far, 4096);
	server_conn_start(near, &r.config);
	wire_say(&c, GET GET);
	UNTIL(r.loop, r.requests == 1);
	server_conn_drain_all(&r.config);
	UNTIL(r.loop, idle.heard_end);
	assert_int_equal(r.closed, 1);
	answer(&r, BODY_NONE);
	UNTIL(r.loop, c.heard_end);
	assert_true(wire_heard(&c, "Connection: close\r\n"));
	assert_int_equal(r.requests, 1);
	wire_free(&idle);
	end(&r, &c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limit),	 cmocka_unit_test(test_old_clients),
		cmocka_unit_test(test_timeouts), cmocka_unit_test(test_early),
		cmocka_unit_test(test_cut),	 cmocka_unit_test(test_drain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

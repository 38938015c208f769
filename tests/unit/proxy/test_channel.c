/*
 * The enclave's side of a channel with a hostile host in front of it, and the host's side with an enclave
 * that says the wrong thing: each frame out of order ends the connection, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/frame.h"
#include "support/bench.h"
#include "support/mem_stream.h"
#include "support/until.h"

#define GET	"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
#define CONNECT "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n"
#define PUT	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

static void add_frame(struct buf *out, enum frame_type type, const char *text)
{
	uint8_t header[FRAME_HEADER];
	size_t id = type == FRAME_REQUEST || type == FRAME_REQUEST_RAW ? FRAME_ID : 0;
	frame_header(header, type, id + strlen(text));
	buf_add(out, header, sizeof header);
	buf_add(out, "\0\0\0\0\0\0\0\x09", id);
	buf_add_text(out, text);
}

static void say(struct wire *w, enum frame_type type, const char *text)
{
	struct buf frame;
	buf_init(&frame, 1 << 20);
	add_frame(&frame, type, text);
	wire_say_span(w, buf_span(&frame));
	buf_free(&frame);
}

static void host_start(struct bench *b, struct wire *host, size_t capacity)
{
	struct stream *near, *far;
	bench_start(b, capacity, true);
	mem_pair(b->loop, capacity, &near, &far);
	channel_server_start(near, &b->channels);
	wire_start(host, far, capacity);
}

/* The type of the n-th frame heard; 0: there are not so many. */
static unsigned frame_at(const struct wire *w, unsigned n)
{
	struct span rest = buf_span(&w->heard);
	enum frame_type type;
	size_t length;
	while (rest.n >= FRAME_HEADER && frame_header_parse((const uint8_t *)rest.p, &type, &length, NULL) &&
	       rest.n >= FRAME_HEADER + length) {
		if (n-- == 0)
			return type;
		rest = span_from(rest, FRAME_HEADER + length);
	}
	return 0;
}

/* ---- a hostile host ---- */

struct said {
	enum frame_type type;
	const char *text;
};

static const struct {
	const char *what;
	struct said frames[6];
} wrong_order[] = {
	{"data first", {{FRAME_DATA, "x"}}},
	{"end first", {{FRAME_END, ""}}},
	{"response", {{FRAME_RESPONSE, "HTTP/1.1 200 OK\r\n\r\n"}}},
	{"pong", {{FRAME_PONG, "{}"}}},
	{"two requests", {{FRAME_REQUEST, POST}, {FRAME_REQUEST, POST}}},
	{"ping in a body", {{FRAME_REQUEST, POST}, {FRAME_PING, ""}}},
	{"data without a body", {{FRAME_REQUEST, GET}, {FRAME_DATA, "x"}}},
	{"too much data", {{FRAME_REQUEST, POST}, {FRAME_DATA, "123456"}}},
	{"too little data", {{FRAME_REQUEST, POST}, {FRAME_DATA, "1234"}, {FRAME_END, ""}}},
	{"no trailers", {{FRAME_REQUEST, PUT}, {FRAME_DATA, "x"}, {FRAME_END, "x"}}},
	{"framing in trailers", {{FRAME_REQUEST, PUT}, {FRAME_END, "Content-Length: 3\r\n\r\n"}}},
	{"no head", {{FRAME_REQUEST, "x"}}},
	{"two heads", {{FRAME_REQUEST, GET GET}}},
	{"two lengths",
	 {{FRAME_REQUEST, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
			  "Content-Length: 2\r\n\r\n"}}},
	{"raw response", {{FRAME_RESPONSE_RAW, "HTTP/1.1 200 OK\r\n\r\n"}}},
	{"raw and no CONNECT", {{FRAME_REQUEST_RAW, GET}, {FRAME_END, ""}}},
	{"raw in a body", {{FRAME_REQUEST, POST}, {FRAME_REQUEST_RAW, CONNECT}}},
	{"raw, data and no answer yet", {{FRAME_REQUEST_RAW, CONNECT}, {FRAME_DATA, "x"}, {FRAME_END, ""}}},
	{"error", {{FRAME_REQUEST, POST}, {FRAME_ERROR, "reset\nclient\nwhy"}}},
};

static void test_wrong_order(void **state)
{
	(void)state;
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < 3 * countof(wrong_order); i++) {
		struct bench b;
		struct wire host;
		host_start(&b, &host, capacities[i % 3]);
		for (const struct said *f = wrong_order[i / 3].frames; f->text; f++)
			say(&host, f->type, f->text);
		for (int turn = 0; turn < 5000 && !host.heard_end; turn++)
			loop_step(b.loop, 0);
		if (!host.heard_end || b.channels.count)
			fail_msg("goes on: %s", wrong_order[i / 3].what);
		wire_free(&host);
		bench_end(&b);
	}
}

static void test_bad_headers(void **state)
{
	(void)state;
	static const uint8_t headers[][FRAME_HEADER] = {
		{0, 0, 0, 0, 0},		      /* no type */
		{0, 0, 0, 0, FRAME_RESPONSE_RAW + 1}, /* nor that */
		{0, 0, 0, 8, FRAME_REQUEST},	      /* an id and no head */
		{0, 0, 0xc0, 9, FRAME_REQUEST},	      /* one byte over the cap */
		{0xff, 0xff, 0xff, 0xff, FRAME_REQUEST},
		{0, 0, 0, 1, FRAME_PING},
	};
	for (size_t i = 0; i < countof(headers); i++) {
		struct bench b;
		struct wire host;
		host_start(&b, &host, 7);
		wire_say_span(&host, (struct span){(const char *)headers[i], FRAME_HEADER});
		UNTIL(b.loop, host.heard_end);
		assert_int_equal(b.refused, 1);
		assert_int_equal(b.refused_kind, ERR_PROTOCOL);
		wire_free(&host);
		bench_end(&b);
	}
}

/* What follows the end of a request waits in the stream: one exchange at a time, in order. */
static void test_coalesced(void **state)
{
	(void)state;
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < countof(capacities); i++) {
		struct bench b;
		struct wire host;
		struct buf all;
		host_start(&b, &host, capacities[i]);
		buf_init(&all, 4096);
		add_frame(&all, FRAME_REQUEST, POST);
		add_frame(&all, FRAME_DATA, "he");
		add_frame(&all, FRAME_DATA, "llo");
		add_frame(&all, FRAME_END, "");
		add_frame(&all, FRAME_PING, "");
		add_frame(&all, FRAME_REQUEST, GET);
		add_frame(&all, FRAME_END, "");
		wire_say_span(&host, buf_span(&all));
		buf_free(&all);
		UNTIL(b.loop, b.services == 1 && wire_heard(&b.service[0], "\r\n\r\nhello"));
		assert_false(wire_heard(&b.service[0], "GET"));
		wire_say(&b.service[0], "HTTP/1.1 204 No Content\r\n\r\n");
		UNTIL(b.loop, wire_heard(&b.service[0], "GET "));
		wire_say(&b.service[0], "HTTP/1.1 204 No Content\r\n\r\n");
		UNTIL(b.loop, frame_at(&host, 3));
		assert_int_equal(frame_at(&host, 0), FRAME_RESPONSE);
		assert_int_equal(frame_at(&host, 1), FRAME_END);
		assert_int_equal(frame_at(&host, 2), FRAME_RESPONSE);
		assert_int_equal(frame_at(&host, 3), FRAME_END);
		assert_int_equal(b.enclave.last.id, 9);
		wire_free(&host);
		bench_end(&b);
	}
}

static void test_pings(void **state)
{
	(void)state;
	struct bench b;
	struct wire host;
	host_start(&b, &host, 7);
	channel_server_pong_all(&b.channels, SPAN("{}")); /* nobody has asked */
	say(&host, FRAME_PING, "");
	for (int i = 0; i < 50; i++)
		loop_step(b.loop, 0);
	assert_int_equal(host.heard.n, 0);
	channel_server_pong_all(&b.channels, SPAN("{\"status\":\"ok\"}"));
	UNTIL(b.loop, frame_at(&host, 0) == FRAME_PONG);
	assert_true(wire_heard(&host, "{\"status\":\"ok\"}"));
	/* The connection carries exchanges behind it. */
	say(&host, FRAME_REQUEST, GET);
	say(&host, FRAME_END, "");
	UNTIL(b.loop, b.services == 1 && wire_heard(&b.service[0], "\r\n\r\n"));
	channel_server_pong_all(&b.channels, SPAN("{}"));
	wire_say(&b.service[0], "HTTP/1.1 204 No Content\r\n\r\n");
	UNTIL(b.loop, frame_at(&host, 2));
	assert_int_equal(frame_at(&host, 1), FRAME_RESPONSE);
	wire_free(&host);
	bench_end(&b);
}

/* A response that breaks off is told in an ERROR frame, with its kind and hop. */
static void test_break_off(void **state)
{
	(void)state;
	struct bench b;
	struct wire host;
	host_start(&b, &host, 4096);
	say(&host, FRAME_REQUEST, GET);
	say(&host, FRAME_END, "");
	UNTIL(b.loop, b.services == 1 && wire_heard(&b.service[0], "\r\n\r\n"));
	wire_say(&b.service[0], "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
	wire_end(&b.service[0]);
	UNTIL(b.loop, host.heard_end);
	assert_true(wire_heard(&host, "truncated\nservice\n"));
	wire_free(&host);
	bench_end(&b);
}

static void test_drain(void **state)
{
	(void)state;
	struct bench b;
	struct wire host, idle;
	struct stream *near, *far;
	host_start(&b, &host, 4096);
	mem_pair(b.loop, 4096, &near, &far);
	channel_server_start(near, &b.channels);
	wire_start(&idle, far, 4096);
	say(&host, FRAME_REQUEST, GET);
	say(&host, FRAME_END, "");
	UNTIL(b.loop, b.services == 1 && wire_heard(&b.service[0], "\r\n\r\n"));
	channel_server_drain_all(&b.channels);
	UNTIL(b.loop, idle.heard_end);
	assert_int_equal(b.channels.count, 1);
	wire_say(&b.service[0], "HTTP/1.1 204 No Content\r\n\r\n");
	UNTIL(b.loop, host.heard_end);
	assert_int_equal(frame_at(&host, 1), FRAME_END);
	assert_int_equal(b.channels.count, 0);
	wire_free(&host);
	wire_free(&idle);
	bench_end(&b);
}

/* ---- an enclave that says the wrong thing ---- */

static const struct {
	const char *what, *want;
	struct said frames[6];
} wrong_answers[] = {
	{"request", "HTTP/1.1 502 ", {{FRAME_REQUEST, GET}}},
	{"data first", "HTTP/1.1 502 ", {{FRAME_DATA, "x"}}},
	{"unasked pong", "HTTP/1.1 502 ", {{FRAME_PONG, "{}"}}},
	{"pong behind 1xx",
	 "HTTP/1.1 502 ",
	 {{FRAME_RESPONSE, "HTTP/1.1 103 Hi\r\n\r\n"}, {FRAME_PONG, "{}"}}},
	{"no head", "HTTP/1.1 502 ", {{FRAME_RESPONSE, "SSH-2.0\r\n\r\n"}}},
	{"its error", "HTTP/1.1 504 ", {{FRAME_ERROR, "dns_timeout\ntunnel\nslow"}}},
	{"data behind 204", NULL, {{FRAME_RESPONSE, "HTTP/1.1 204 No\r\n\r\n"}, {FRAME_DATA, "x"}}},
	{"second head",
	 NULL,
	 {{FRAME_RESPONSE, "HTTP/1.1 200 OK\r\n\r\n"}, {FRAME_RESPONSE, "HTTP/1.1 200 OK\r\n\r\n"}}},
	{"too long",
	 NULL,
	 {{FRAME_RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"}, {FRAME_DATA, "xy"}}},
	{"too short",
	 NULL,
	 {{FRAME_RESPONSE, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}, {FRAME_END, ""}}},
};

/* To a CONNECT. hybrid: the host did not offer what the enclave takes. */
static const struct {
	const char *what;
	bool hybrid;
	struct said frame;
} wrong_tunnels[] = {
	{"raw unasked", true, {FRAME_RESPONSE_RAW, "HTTP/1.1 200 OK\r\n\r\n"}},
	{"raw refusal", false, {FRAME_RESPONSE_RAW, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"}},
	{"raw 1xx", false, {FRAME_RESPONSE_RAW, "HTTP/1.1 103 Hi\r\n\r\n"}},
	{"a request", false, {FRAME_REQUEST_RAW, CONNECT}},
};

static void test_wrong_tunnels(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(wrong_tunnels); i++) {
		struct bench b;
		struct wire c;
		bench_start(&b, 7, true);
		b.false_enclave = true;
		b.hybrid = wrong_tunnels[i].hybrid;
		bench_client(&b, &c);
		wire_say(&c, CONNECT "early");
		UNTIL(b.loop, b.services == 1 && wire_heard(&b.service[0], "\r\n\r\n"));
		assert_int_equal(frame_at(&b.service[0], 0), b.hybrid ? FRAME_REQUEST : FRAME_REQUEST_RAW);
		say(&b.service[0], wrong_tunnels[i].frame.type, wrong_tunnels[i].frame.text);
		UNTIL(b.loop, b.host.done == 1 && wire_heard(&c, "}\n"));
		if (!wire_heard(&c, "HTTP/1.1 502 ") || b.host.open)
			fail_msg("%s: %s", wrong_tunnels[i].what, buf_text(&c.heard));
		assert_false(wire_heard(&b.service[0], "early"));
		wire_free(&c);
		bench_end(&b);
	}
}

/* Behind the heads there is nothing on the wire but the tunnel's own bytes, and its ends are half-closes. */
static void test_bare(void **state)
{
	(void)state;
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < countof(capacities); i++) {
		struct bench b;
		struct wire host;
		host_start(&b, &host, capacities[i]);
		say(&host, FRAME_REQUEST_RAW, CONNECT);
		say(&host, FRAME_END, "");
		wire_say(&host, "ahead"); /* of the answer: nobody's fault but the host's, and its bytes all
					     the same */
		UNTIL(b.loop, b.services == 1 && wire_heard(&b.service[0], "ahead"));
		UNTIL(b.loop, frame_at(&host, 0) == FRAME_RESPONSE_RAW);
		size_t head = host.heard.n;
		wire_say(&b.service[0], "down");
		UNTIL(b.loop, host.heard.n == head + 4);
		assert_memory_equal(host.heard.p + head, "down", 4);
		wire_end(&b.service[0]);
		UNTIL(b.loop, host.heard_end);
		assert_int_equal(b.channels.count, 1);
		wire_say(&host, "up");
		UNTIL(b.loop, wire_heard(&b.service[0], "aheadup"));
		wire_end(&host);
		UNTIL(b.loop, b.enclave.done == 1);
		assert_false(b.enclave.last.failed);
		assert_int_equal(b.channels.count, 0);
		wire_free(&host);
		bench_end(&b);
	}
}

static void test_wrong_answers(void **state)
{
	(void)state;
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < 3 * countof(wrong_answers); i++) {
		struct bench b;
		struct wire c;
		bench_start(&b, capacities[i % 3], true);
		b.false_enclave = true;
		bench_client(&b, &c);
		wire_say(&c, GET);
		UNTIL(b.loop, b.services == 1 && wire_heard(&b.service[0], "\r\n\r\n"));
		for (const struct said *f = wrong_answers[i / 3].frames; f->text; f++)
			say(&b.service[0], f->type, f->text);
		/* Cut, or told as an error; never a response that looks complete. */
		UNTIL(b.loop, b.host.done == 1);
		assert_true(b.host.last.failed);
		UNTIL(b.loop, c.heard_end || wire_heard(&c, "}\n"));
		if (wrong_answers[i / 3].want && !wire_heard(&c, wrong_answers[i / 3].want))
			fail_msg("%s: %s", wrong_answers[i / 3].what, buf_text(&c.heard));
		assert_false(wire_heard(&c, "0\r\n\r\n"));
		assert_int_equal(b.host.open, 0);
		wire_free(&c);
		bench_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_order),   cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_coalesced),     cmocka_unit_test(test_pings),
		cmocka_unit_test(test_break_off),     cmocka_unit_test(test_drain),
		cmocka_unit_test(test_wrong_answers), cmocka_unit_test(test_wrong_tunnels),
		cmocka_unit_test(test_bare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

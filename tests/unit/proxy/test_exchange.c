/*
 * Exchanges over whole connections in memory, alone and as host and enclave with a framed channel between
 * them: what arrives, what is repeated, what a failure at each stage looks like to the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#include "support/bench.h"
#include "support/mem_stream.h"
#include "support/until.h"

/*
 * The body of a test, run at each capacity: without frames, with frames, and with frames over what cannot
 * half-close.
 */
static void everywhere(void (*test)(struct bench *b))
{
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < 3 * countof(capacities); i++) {
		struct bench b;
		bench_start(&b, capacities[i / 3], i % 3);
		b.hybrid = i % 3 == 2;
		test(&b);
		bench_end(&b);
	}
}

#define EVERYWHERE(name)                                                                                     \
	static void name(struct bench *b);                                                                   \
	static void test_##name(void **state)                                                                \
	{                                                                                                    \
		(void)state;                                                                                 \
		everywhere(name);                                                                            \
	}                                                                                                    \
	static void name(struct bench *b)

#define GET    "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST   "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
#define HELLO  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define SECOND "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"

static struct bench_side *leaf(struct bench *b)
{
	return &b->enclave;
}

/* The client's request has come to the n-th service connection, with this text in it. */
static struct wire *service(struct bench *b, unsigned n, const char *text)
{
	UNTIL(b->loop, b->services > n && wire_heard(&b->service[n], text));
	return &b->service[n];
}

static void settle(struct bench *b)
{
	for (int i = 0; i < 20; i++)
		loop_step(b->loop, 0);
}

/* ---- what works ---- */

EVERYWHERE(keep_alive)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	wire_forget(&b->service[0]);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"), SECOND);
	UNTIL(b->loop, wire_heard(&c, "second"));
	UNTIL(b->loop, leaf(b)->done == 2);
	assert_int_equal(b->services, 1);
	assert_true(leaf(b)->last.reused);
	assert_false(c.heard_end);
	assert_int_equal(wire_count(&c, "HTTP/1.1 "), 2);
	wire_free(&c);
}

EVERYWHERE(pipelined)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET POST "abcde" GET);
	wire_say(service(b, 0, "GET "), HELLO);
	wire_say(service(b, 0, "abcde"), SECOND);
	UNTIL(b->loop, wire_count(&b->service[0], "GET ") == 2);
	wire_say(&b->service[0], "HTTP/1.1 204 No Content\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "204 No Content") && leaf(b)->done == 3);
	assert_int_equal(wire_count(&c, "HTTP/1.1 200"), 2);
	wire_free(&c);
}

EVERYWHERE(chunks_and_trailers)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: up\r\n\r\n");
	struct wire *s = service(b, 0, "X-Sum: up\r\n\r\n");
	assert_true(wire_heard(s, "Transfer-Encoding: chunked\r\n"));
	wire_say(s,
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: down\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "X-Sum: down\r\n\r\n"));
	UNTIL(b->loop, leaf(b)->done == 1);
	assert_int_equal(leaf(b)->last.bytes_up, 11);
	assert_int_equal(leaf(b)->last.bytes_down, 3);
	wire_free(&c);
}

/* Without a length the service ends the body with its connection; the client gets chunks. */
EVERYWHERE(until_close)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	struct wire *s = service(b, 0, "\r\n\r\n");
	wire_say(s, "HTTP/1.1 200 OK\r\n\r\nhello");
	wire_end(s);
	UNTIL(b->loop, wire_heard(&c, "0\r\n\r\n"));
	assert_true(wire_heard(&c, "Transfer-Encoding: chunked"));
	wire_say(&c, GET);
	wire_say(service(b, 1, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&c, "Content-Length: 5"));
	wire_free(&c);
}

EVERYWHERE(without_body)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_say(service(b, 0, "HEAD "), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "Content-Length: 5\r\n") && leaf(b)->done == 1);
	wire_say(&c, GET);
	wire_say(service(b, 0, "GET "), "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "304 Not Modified") && leaf(b)->done == 2);
	wire_forget(&b->service[0]);
	wire_say(&c, GET);
	wire_say(service(b, 0, "GET "), HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	assert_int_equal(b->services, 1);
	wire_free(&c);
}

EVERYWHERE(interim)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	struct wire *s = service(b, 0, "\r\n\r\n");
	wire_say(s, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "103 Early Hints") && wire_heard(&c, "100 Continue"));
	wire_say(&c, "abcde");
	service(b, 0, "abcde");
	wire_say(s, HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	wire_free(&c);
}

static void big(struct bench *b, size_t size)
{
	struct wire c;
	struct buf body;
	buf_init(&body, size);
	char *p = buf_extend(&body, size);
	for (size_t i = 0; i < size; i++)
		p[i] = (char)(i * 2654435761u >> 13);
	bench_client(b, &c);
	c.piece = 4096;
	char head[128];
	snprintf(head, sizeof head, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", size);
	wire_say(&c, head);
	wire_say_span(&c, buf_span(&body));
	struct wire *s = service(b, 0, "\r\n\r\n");
	const char *at = memmem(s->heard.p, s->heard.n, "\r\n\r\n", 4);
	size_t head_size = (size_t)(at - s->heard.p) + 4;
	UNTIL(b->loop, s->heard.n == head_size + size);
	assert_memory_equal(s->heard.p + head_size, body.p, size);
	s->piece = 4096;
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	wire_say(s, head);
	wire_say_span(s, buf_span(&body));
	UNTIL(b->loop, leaf(b)->done == 1 && b->host.done == (b->framed ? 1 : 0));
	UNTIL(b->loop, c.heard.n > size);
	assert_memory_equal(c.heard.p + c.heard.n - size, body.p, size);
	wire_free(&c);
	buf_free(&body);
}

static void test_big(void **state)
{
	(void)state;
	static const size_t capacities[] = {4096, 65536, 300000};
	for (size_t i = 0; i < 2 * countof(capacities); i++) {
		struct bench b;
		bench_start(&b, capacities[i / 2], i % 2);
		big(&b, 1000003);
		bench_end(&b);
	}
}

/* ---- raw ---- */

/* The client's first raw bytes come with the request, the service's with its answer. */
EVERYWHERE(connect)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nearly");
	UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 200 "));
	struct wire *s = service(b, 0, "early");
	assert_int_equal(s->heard.n, 5);
	wire_say(s, "answer");
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nanswer"));
	wire_end(&c); /* one direction ends, the other goes on */
	UNTIL(b->loop, s->heard_end);
	wire_say(s, "more");
	UNTIL(b->loop, wire_heard(&c, "more"));
	wire_end(s);
	UNTIL(b->loop, c.heard_end && leaf(b)->done == 1);
	assert_int_equal(s->err.kind, ERR_NONE);
	assert_int_equal(c.err.kind, ERR_NONE);
	assert_false(leaf(b)->last.failed);
	assert_int_equal(leaf(b)->last.bytes_up, 5);
	assert_int_equal(leaf(b)->last.bytes_down, 10);
	if (b->framed) { /* a channel that went raw has gone with it */
		UNTIL(b->loop, b->host.done == 1);
		assert_int_equal(b->host.open, b->hybrid ? 1 : 0);
		assert_int_equal(b->host.last.bytes_up, 5);
		assert_int_equal(b->host.last.bytes_down, 10);
		UNTIL(b->loop, b->channels.count == b->host.open);
	}
	wire_free(&c);
}

/* The service ends its direction first; the client's goes on. */
EVERYWHERE(connect_service_ends)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
	UNTIL(b->loop, b->services == 1 && wire_heard(&c, "\r\n\r\n"));
	struct wire *s = &b->service[0];
	wire_say(s, "bye");
	wire_end(s);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nbye") && c.heard_end);
	assert_int_equal(leaf(b)->done, 0);
	wire_say(&c, "not yet");
	UNTIL(b->loop, wire_heard(s, "not yet"));
	wire_end(&c);
	UNTIL(b->loop, s->heard_end && leaf(b)->done == 1);
	assert_false(leaf(b)->last.failed);
	wire_free(&c);
}

/* The client has said all, and ended, before there is an answer. */
EVERYWHERE(connect_client_ended)
{
	struct wire c;
	b->slow_opens = true;
	bench_client(b, &c);
	wire_say(&c, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nall of it");
	wire_end(&c);
	UNTIL(b->loop, b->waiting);
	settle(b);
	bench_open(b);
	struct wire *s = service(b, 0, "all of it");
	UNTIL(b->loop, s->heard_end);
	wire_say(s, "and all of this");
	wire_end(s);
	UNTIL(b->loop, wire_heard(&c, "and all of this") && c.heard_end && leaf(b)->done == 1);
	assert_false(leaf(b)->last.failed);
	assert_int_equal(leaf(b)->last.bytes_up, 9);
	wire_free(&c);
}

/* A reset in the middle ends both sides, and is the service's. */
EVERYWHERE(connect_reset)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
	UNTIL(b->loop, b->services == 1 && wire_heard(&c, "\r\n\r\n"));
	wire_say(&b->service[0], "half");
	UNTIL(b->loop, wire_heard(&c, "half"));
	mem_fail(b->service[0].s, mem_sent(b->service[0].s));
	UNTIL(b->loop, c.heard_end && leaf(b)->done == 1);
	assert_true(leaf(b)->last.failed);
	assert_int_equal(leaf(b)->last.err.kind, ERR_RESET);
	assert_int_equal(leaf(b)->last.err.hop, HOP_SERVICE);
	assert_int_equal(leaf(b)->last.bytes_down, 4);
	wire_end(&c);
	if (b->framed)
		UNTIL(b->loop, b->host.done == 1);
	wire_free(&c);
}

/* A channel that carried raw bytes carries requests again. */
EVERYWHERE(upgrade_then_request)
{
	struct wire c, d;
	bench_client(b, &c);
	wire_say(&c, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
	struct wire *s = service(b, 0, "Upgrade: websocket");
	service(b, 0, "\r\n\r\n");
	wire_say(s,
		 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi");
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhi"));
	wire_say(&c, "ho");
	service(b, 0, "\r\n\r\nho");
	wire_end(s);
	UNTIL(b->loop, c.heard_end);
	wire_end(&c);
	UNTIL(b->loop, leaf(b)->done == 1);
	assert_false(leaf(b)->last.failed);
	bench_client(b, &d);
	wire_say(&d, GET);
	wire_say(service(b, 1, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&d, "\r\n\r\nhello"));
	assert_int_equal(b->channels.count, b->framed ? 1 : 0);
	wire_free(&c);
	wire_free(&d);
}

EVERYWHERE(unasked_101)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"),
		 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET /");
	UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 502 "));
	wire_free(&c);
}

EVERYWHERE(raw_cut)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\n"));
	wire_close(&c);
	UNTIL(b->loop, b->services == 1 && b->service[0].heard_end);
	wire_say(&b->service[0], "to nobody");
	wire_end(&b->service[0]);
	UNTIL(b->loop, leaf(b)->done == 1);
	wire_free(&c);
}

/* ---- repeating ---- */

/* The pooled connection is closed the moment it is used again. reset: by an error. */
static void stale(struct bench *b, const char *request, bool reset, bool repeated)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello") && leaf(b)->idle);
	wire_forget(&b->service[0]);
	wire_forget(&c);
	wire_say(&c, request);
	service(b, 0, "\r\n\r\n");
	if (reset)
		mem_fail(b->service[0].s, mem_sent(b->service[0].s));
	else
		wire_close(&b->service[0]);
	if (repeated) {
		wire_say(service(b, 1, "\r\n\r\n"), SECOND);
		UNTIL(b->loop, wire_heard(&c, "second"));
		assert_true(wire_heard(&c, "HTTP/1.1 200 "));
		UNTIL(b->loop, leaf(b)->done == 2);
		assert_int_equal(leaf(b)->last.attempts, 2);
		assert_false(leaf(b)->last.failed);
	} else {
		UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 502 "));
		assert_int_equal(b->services, 1);
	}
	wire_free(&c);
}

EVERYWHERE(stale_get)
{
	stale(b, GET, false, true);
}

EVERYWHERE(stale_get_reset)
{
	stale(b, GET, true, true);
}

EVERYWHERE(stale_put)
{
	stale(b, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", false, true);
}

/* Nothing of its body was sent, so the service cannot have acted on it. */
EVERYWHERE(stale_post_head)
{
	stale(b, POST, false, true);
}

EVERYWHERE(stale_post)
{
	stale(b, "POST /a HTTP/1.1\r\nHost: x\r\n\r\n", false, false);
}

/* What the client sends on while its request is being repeated comes behind the first part, all of it. */
EVERYWHERE(repeated_with_body)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello") && leaf(b)->idle);
	wire_forget(&b->service[0]);
	wire_say(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
	service(b, 0, "\r\n\r\n");
	settle(b);
	b->slow_opens = true;
	wire_close(&b->service[0]);
	UNTIL(b->loop, b->waiting);
	wire_say(&c, "abcde");
	settle(b);
	bench_open(b);
	service(b, 1, "\r\n\r\nabcde");
	wire_say(&c, "fghij");
	wire_say(service(b, 1, "\r\n\r\nabcdefghij"), SECOND);
	UNTIL(b->loop, wire_heard(&c, "second"));
	assert_int_equal(leaf(b)->last.attempts, 2);
	wire_free(&c);
}

EVERYWHERE(gone_while_repeating)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello") && leaf(b)->idle);
	wire_forget(&b->service[0]);
	wire_say(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
	service(b, 0, "\r\n\r\n");
	settle(b);
	b->slow_opens = true;
	wire_close(&b->service[0]);
	UNTIL(b->loop, b->waiting);
	wire_close(&c);
	UNTIL(b->loop, leaf(b)->done == 2);
	assert_null(b->waiting);
	assert_int_equal(leaf(b)->last.err.kind, ERR_CLIENT_GONE);
	wire_free(&c);
}

/* Bytes that a service says while nobody has asked are not the next request's answer. */
EVERYWHERE(unasked_bytes)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"), HELLO SECOND);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello") && leaf(b)->done == 1);
	UNTIL(b->loop, leaf(b)->open == 0);
	wire_say(&c, GET);
	wire_say(service(b, 1, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_count(&c, "hello") == 2);
	assert_false(wire_heard(&c, "second"));
	wire_free(&c);
}

EVERYWHERE(unreachable)
{
	struct wire c;
	b->fail_opens = 2; /* as often as it is tried again */
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_say(service(b, 0, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	UNTIL(b->loop, leaf(b)->done == 1);
	assert_int_equal(leaf(b)->last.attempts, 3);
	b->fail_opens = 3;
	wire_say(&c, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	if (leaf(b)->idle) { /* the one that is there serves without opening any */
		wire_close(&b->service[0]);
		UNTIL(b->loop, !leaf(b)->idle || leaf(b)->done == 2);
	}
	UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 502 ") && wire_heard(&c, "error=connection_refused"));
	wire_free(&c);
}

/* ---- failures, as the client sees them ---- */

/* What the service says, then its end: the status and the token of Proxy-Status. */
static void fails(struct bench *b, const char *says, const char *status, const char *token)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	struct wire *s = service(b, 0, "\r\n\r\n");
	wire_say(s, says);
	wire_end(s);
	UNTIL(b->loop, wire_heard(&c, status) && wire_heard(&c, "}\n"));
	if (!wire_heard(&c, token))
		fail_msg("%s is not in %s", token, buf_text(&c.heard));
	assert_true(wire_heard(&c, "\"hop\":\"service\""));
	UNTIL(b->loop, leaf(b)->done == 1);
	assert_int_equal(b->services, 1);
	/* The client's connection goes on. */
	wire_say(&c, GET);
	wire_say(service(b, 1, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	wire_free(&c);
}

EVERYWHERE(closed_unanswered)
{
	fails(b, "", "HTTP/1.1 502 ", "error=connection_terminated");
}

EVERYWHERE(cut_in_head)
{
	fails(b, "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 502 ", "error=http_response_incomplete");
}

EVERYWHERE(no_http)
{
	fails(b, "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 502 ", "error=http_protocol_error");
}

EVERYWHERE(two_lengths)
{
	fails(b, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "HTTP/1.1 502 ",
	      "error=http_protocol_error");
}

EVERYWHERE(interim_then_end)
{
	fails(b, "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 502 ", "error=");
}

/* Behind the head a failure can only be told by cutting the connection, and must be. */
static void breaks(struct bench *b, const char *says)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	struct wire *s = service(b, 0, "\r\n\r\n");
	wire_say(s, says);
	wire_end(s);
	UNTIL(b->loop, c.heard_end);
	assert_false(wire_heard(&c, "\r\n0\r\n\r\n"));
	UNTIL(b->loop, leaf(b)->done == 1);
	assert_true(leaf(b)->last.failed);
	wire_free(&c);
}

EVERYWHERE(body_cut)
{
	breaks(b, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello");
}

EVERYWHERE(chunks_cut)
{
	breaks(b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
}

EVERYWHERE(chunks_broken)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	struct wire *s = service(b, 0, "\r\n\r\n");
	wire_say(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	UNTIL(b->loop, wire_heard(&c, "o\r\n")); /* in one chunk or five */
	wire_say(s, "what?");
	UNTIL(b->loop, c.heard_end);
	assert_false(wire_heard(&c, "\r\n0\r\n\r\n"));
	wire_free(&c);
}

/* A service that answers and closes without reading the request: its answer counts. */
EVERYWHERE(early_answer)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
	struct wire *s = service(b, 0, "\r\n\r\n");
	wire_deafen(s);
	struct buf body;
	buf_init(&body, 50000);
	memset(buf_extend(&body, 50000), 'x', 50000);
	c.piece = 4096;
	wire_say_span(&c, buf_span(&body));
	buf_free(&body);
	settle(b);
	wire_say(s, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
	wire_end(s);
	while (!s->ended)
		loop_step(b->loop, 0);
	wire_close(s);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nbig"));
	assert_true(wire_heard(&c, "HTTP/1.1 413 "));
	assert_true(wire_heard(&c, "Connection: close"));
	UNTIL(b->loop, leaf(b)->done == 1);
	assert_false(leaf(b)->last.failed);
	wire_free(&c);
}

/* The answer has come before the first block of the request has gone: the block is still lent. */
EVERYWHERE(answer_before_request_is_sent)
{
	struct wire c;
	bench_client(b, &c);
	c.piece = 4096;
	struct buf body;
	buf_init(&body, 20000);
	memset(buf_extend(&body, 20000), 'y', 20000);
	b->slow_opens = true;
	wire_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n");
	body.p[body.n - 1] = '!';
	wire_say_span(&c, buf_span(&body));
	UNTIL(b->loop, b->waiting);
	settle(b);
	bench_open(b);
	UNTIL(b->loop, b->services == 1);
	struct wire *s = &b->service[0];
	wire_deafen(s);
	wire_say(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	UNTIL(b->loop, wire_heard(&c, "c\r\n"));
	settle(b);
	wire_listen(s);
	UNTIL(b->loop, s->heard.n && s->heard.p[s->heard.n - 1] == '!');
	assert_true(s->heard.n > body.n);
	assert_memory_equal(s->heard.p + s->heard.n - body.n, body.p, body.n);
	wire_say(s, "0\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "0\r\n\r\n"));
	wire_free(&c);
	buf_free(&body);
}

EVERYWHERE(client_gone)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	struct wire *s = service(b, 0, "\r\n\r\n");
	mem_fail(c.s, mem_sent(c.s));
	UNTIL(b->loop, s->heard_end && leaf(b)->done == 1);
	assert_true(leaf(b)->last.failed);
	assert_int_equal(leaf(b)->last.status, 0);
	wire_free(&c);
}

/* It has ended its direction, and listens. */
EVERYWHERE(client_half_closed)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, GET);
	wire_end(&c);
	wire_say(service(b, 0, "\r\n\r\n"), HELLO);
	UNTIL(b->loop, c.heard_end);
	assert_true(wire_heard(&c, "\r\n\r\nhello"));
	assert_int_equal(c.err.kind, ERR_NONE);
	wire_free(&c);
}

EVERYWHERE(client_gone_in_body)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, POST "ab");
	struct wire *s = service(b, 0, "\r\n\r\nab");
	wire_end(&c);
	UNTIL(b->loop, s->heard_end && leaf(b)->done == 1);
	assert_true(leaf(b)->last.failed);
	wire_free(&c);
}

EVERYWHERE(bad_body)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	service(b, 0, "o\r\n");
	wire_say(&c, "what?");
	UNTIL(b->loop, c.heard_end || wire_heard(&c, "\r\n\r\n"));
	if (!b->framed)
		assert_true(wire_heard(&c, "HTTP/1.1 400 "));
	UNTIL(b->loop, leaf(b)->done == 1);
	wire_free(&c);
}

/* ---- timeouts ---- */

/* What is late, and how the client learns of it. */
static void late(struct bench *b, const char *request, const char *answer, const char *want)
{
	struct wire c;
	leaf(b)->role.ms.body_stall = leaf(b)->role.ms.response_header = 2;
	leaf(b)->role.ms.response_stall = leaf(b)->role.ms.tunnel_idle = 2;
	bench_client(b, &c);
	wire_say(&c, request);
	UNTIL(b->loop, b->services == 1 || wire_heard(&c, "HTTP"));
	if (answer)
		wire_say(&b->service[0], answer);
	UNTIL(b->loop, leaf(b)->done == 1 && (c.heard_end || !want || wire_heard(&c, want)));
	assert_true(leaf(b)->last.failed);
	wire_free(&c);
}

/* In pieces a byte at a time these would measure the machine: one capacity. */
static void test_late(void **state)
{
	(void)state;
	static const struct {
		const char *request, *answer, *want;
		enum error_kind kind;
	} cases[] = {
		{GET, NULL, "HTTP/1.1 504 ", ERR_RESPONSE_TIMEOUT},
		{GET, "HTTP/1.1 200", "HTTP/1.1 504 ", ERR_RESPONSE_TIMEOUT},
		{POST "ab", NULL, "HTTP/1.1 408 ", ERR_CLIENT_TIMEOUT},
		{GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", NULL, ERR_TIMEOUT},
		{"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", NULL, NULL, ERR_TIMEOUT},
	};
	for (size_t i = 0; i < 2 * countof(cases); i++) {
		struct bench b;
		bench_start(&b, 4096, i % 2);
		late(&b, cases[i / 2].request, cases[i / 2].answer, cases[i / 2].want);
		assert_int_equal(leaf(&b)->last.err.kind, cases[i / 2].kind);
		bench_end(&b);
	}
}

static void test_client_does_not_read(void **state)
{
	(void)state;
	struct bench b;
	struct wire c;
	bench_start(&b, 64, false);
	b.enclave.role.ms.response_stall = 2;
	bench_client(&b, &c);
	wire_say(&c, GET);
	struct wire *s = service(&b, 0, "\r\n\r\n");
	wire_deafen(&c);
	wire_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 100; i++)
		wire_say(s, "0123456789012345678901234567890123456789");
	UNTIL(b.loop, b.enclave.done == 1);
	assert_int_equal(b.enclave.last.err.kind, ERR_WRITE_TIMEOUT);
	assert_int_equal(b.enclave.last.err.hop, HOP_CLIENT);
	wire_free(&c);
	bench_end(&b);
}

/* ---- cut at every byte ---- */

static const char *const script[] = {
	GET,
	POST "abcde",
	"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
	"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nearly",
};

/* Wherever either side breaks, nothing is left behind and nothing is waited for. */
static void cut(size_t at, bool client, bool fail, size_t capacity, bool framed, const char *request)
{
	struct bench b;
	struct wire c;
	bench_start(&b, capacity, framed);
	bench_client(&b, &c);
	if (client && fail)
		mem_fail(c.s, at);
	else if (client)
		mem_cut(c.s, at);
	wire_say(&c, request);
	bool told = false;
	for (int i = 0; i < 400 && !c.heard_end; i++) {
		loop_step(b.loop, 0);
		if (b.services == 1 && !told) {
			told = true;
			if (!client && fail)
				mem_fail(b.service[0].s, at);
			else if (!client)
				mem_cut(b.service[0].s, at);
			wire_say(&b.service[0], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
						"3\r\nabc\r\n0\r\n\r\n");
		}
	}
	if (!client && at > 0 && at < 60) /* what was cut must not look whole */
		assert_false(wire_heard(&c, "\r\n0\r\n\r\n"));
	wire_free(&c);
	bench_end(&b);
}

static void test_cut_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(script); i++)
		for (size_t at = 0; at < 110; at += 3)
			for (unsigned how = 0; how < 8; how++)
				cut(at + how % 3, how & 1, how & 2, at % 2 ? 7 : 4096, how & 4, script[i]);
}

/* The process ends while things run. */
EVERYWHERE(abandoned)
{
	struct wire c, d, e, f;
	bench_client(b, &c);
	bench_client(b, &d);
	bench_client(b, &e);
	bench_client(b, &f);
	wire_say(&f, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
	UNTIL(b->loop, b->services == 1 && wire_heard(&f, "\r\n\r\n"));
	wire_say(&b->service[0], "raw");
	UNTIL(b->loop, wire_heard(&f, "raw"));
	wire_say(&c, GET);
	wire_say(service(b, 1, "\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\nab");
	wire_say(&d, POST "ab");
	service(b, 2, "ab");
	b->slow_opens = true;
	wire_say(&e, GET);
	UNTIL(b->loop, b->waiting);
	wire_free(&c);
	wire_free(&d);
	wire_free(&e);
	wire_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_chunks_and_trailers),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_without_body),
		cmocka_unit_test(test_interim),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_connect_service_ends),
		cmocka_unit_test(test_connect_client_ended),
		cmocka_unit_test(test_connect_reset),
		cmocka_unit_test(test_upgrade_then_request),
		cmocka_unit_test(test_unasked_101),
		cmocka_unit_test(test_raw_cut),
		cmocka_unit_test(test_stale_get),
		cmocka_unit_test(test_stale_get_reset),
		cmocka_unit_test(test_stale_put),
		cmocka_unit_test(test_stale_post_head),
		cmocka_unit_test(test_stale_post),
		cmocka_unit_test(test_repeated_with_body),
		cmocka_unit_test(test_gone_while_repeating),
		cmocka_unit_test(test_unasked_bytes),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_closed_unanswered),
		cmocka_unit_test(test_cut_in_head),
		cmocka_unit_test(test_no_http),
		cmocka_unit_test(test_two_lengths),
		cmocka_unit_test(test_interim_then_end),
		cmocka_unit_test(test_body_cut),
		cmocka_unit_test(test_chunks_cut),
		cmocka_unit_test(test_chunks_broken),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_answer_before_request_is_sent),
		cmocka_unit_test(test_client_gone),
		cmocka_unit_test(test_client_half_closed),
		cmocka_unit_test(test_client_gone_in_body),
		cmocka_unit_test(test_bad_body),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_client_does_not_read),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_abandoned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

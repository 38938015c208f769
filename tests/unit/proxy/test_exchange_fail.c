/* What a failure at each stage looks like to the client, and that nothing is left behind wherever it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/bench.h"
#include "support/mem_stream.h"
#include "support/until.h"

#define EVERYWHERE(name) BENCH_TEST(name, NULL)

/* ---- the service ---- */

/* A client's request, what the service says to it, and its end. */
static void answered(struct bench *b, struct wire *c, const char *says)
{
	bench_client(b, c);
	wire_say(c, BENCH_GET);
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	wire_say(s, says);
	wire_end(s);
}

/* The client learns the status and the token of Proxy-Status. */
static void fails(struct bench *b, const char *says, const char *status, const char *token)
{
	struct wire c;
	answered(b, &c, says);
	UNTIL(b->loop, wire_heard(&c, status) && wire_heard(&c, "}\n"));
	if (!wire_heard(&c, token))
		fail_msg("%s is not in %s", token, buf_text(&c.heard));
	assert_true(wire_heard(&c, "\"hop\":\"service\""));
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	assert_int_equal(b->services, 1);
	/* The client's connection goes on. */
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 1, "\r\n\r\n"), BENCH_HELLO);
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
	answered(b, &c, says);
	UNTIL(b->loop, c.heard_end);
	assert_false(wire_heard(&c, "\r\n0\r\n\r\n"));
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	assert_true(bench_leaf(b)->last.failed);
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
	wire_say(&c, BENCH_GET);
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	wire_say(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	UNTIL(b->loop, wire_heard(&c, "o\r\n")); /* in one chunk or five */
	wire_say(s, "what?");
	UNTIL(b->loop, c.heard_end);
	assert_false(wire_heard(&c, "\r\n0\r\n\r\n"));
	wire_free(&c);
}

/* ---- the client ---- */

EVERYWHERE(client_gone)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	mem_fail(c.s, mem_sent(c.s));
	UNTIL(b->loop, s->heard_end && bench_leaf(b)->done == 1);
	assert_true(bench_leaf(b)->last.failed);
	assert_int_equal(bench_leaf(b)->last.status, 0);
	wire_free(&c);
}

/* It has ended its direction, and listens. */
EVERYWHERE(client_half_closed)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_end(&c);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, c.heard_end);
	assert_true(wire_heard(&c, "\r\n\r\nhello"));
	assert_int_equal(c.err.kind, ERR_NONE);
	wire_free(&c);
}

EVERYWHERE(client_gone_in_body)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_POST "ab");
	struct wire *s = bench_service(b, 0, "\r\n\r\nab");
	wire_end(&c);
	UNTIL(b->loop, s->heard_end && bench_leaf(b)->done == 1);
	assert_true(bench_leaf(b)->last.failed);
	wire_free(&c);
}

EVERYWHERE(bad_body)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	bench_service(b, 0, "o\r\n");
	wire_say(&c, "what?");
	UNTIL(b->loop, c.heard_end || wire_heard(&c, "\r\n\r\n"));
	if (!b->framed)
		assert_true(wire_heard(&c, "HTTP/1.1 400 "));
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	wire_free(&c);
}

/* ---- timeouts ---- */

/* What is late, and how the client learns of it. */
static void late(struct bench *b, const char *request, const char *answer, const char *want)
{
	struct wire c;
	bench_leaf(b)->role.ms.body_stall = bench_leaf(b)->role.ms.response_header = 2;
	bench_leaf(b)->role.ms.response_stall = bench_leaf(b)->role.ms.tunnel_idle = 2;
	bench_client(b, &c);
	wire_say(&c, request);
	UNTIL(b->loop, b->services == 1 || wire_heard(&c, "HTTP"));
	if (answer)
		wire_say(&b->service[0], answer);
	UNTIL(b->loop, bench_leaf(b)->done == 1 && (c.heard_end || !want || wire_heard(&c, want)));
	assert_true(bench_leaf(b)->last.failed);
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
		{BENCH_GET, NULL, "HTTP/1.1 504 ", ERR_RESPONSE_TIMEOUT},
		{BENCH_GET, "HTTP/1.1 200", "HTTP/1.1 504 ", ERR_RESPONSE_TIMEOUT},
		{BENCH_POST "ab", NULL, "HTTP/1.1 408 ", ERR_CLIENT_TIMEOUT},
		{BENCH_GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", NULL, ERR_TIMEOUT},
		{"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", NULL, NULL, ERR_TIMEOUT},
	};
	for (size_t i = 0; i < 2 * countof(cases); i++) {
		struct bench b;
		bench_start(&b, 4096, i % 2);
		late(&b, cases[i / 2].request, cases[i / 2].answer, cases[i / 2].want);
		assert_int_equal(bench_leaf(&b)->last.err.kind, cases[i / 2].kind);
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
	wire_say(&c, BENCH_GET);
	struct wire *s = bench_service(&b, 0, "\r\n\r\n");
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
	BENCH_GET,
	BENCH_POST "abcde",
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_unanswered),
		cmocka_unit_test(test_cut_in_head),
		cmocka_unit_test(test_no_http),
		cmocka_unit_test(test_two_lengths),
		cmocka_unit_test(test_interim_then_end),
		cmocka_unit_test(test_body_cut),
		cmocka_unit_test(test_chunks_cut),
		cmocka_unit_test(test_chunks_broken),
		cmocka_unit_test(test_client_gone),
		cmocka_unit_test(test_client_half_closed),
		cmocka_unit_test(test_client_gone_in_body),
		cmocka_unit_test(test_bad_body),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_client_does_not_read),
		cmocka_unit_test(test_cut_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

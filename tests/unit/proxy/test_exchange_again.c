/* What is asked again on a fresh connection when a pooled one turns out to be gone, and what never is. */
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

/* A client whose first request is over, and the connection to the service waits for the next. */
static void pooled(struct bench *b, struct wire *c)
{
	bench_client(b, c);
	wire_say(c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(c, "\r\n\r\nhello") && bench_leaf(b)->idle);
	wire_forget(&b->service[0]);
	wire_forget(c);
}

/* The pooled connection is closed the moment it is used again. reset: by an error. */
static void stale(struct bench *b, const char *request, bool reset, bool repeated)
{
	struct wire c;
	pooled(b, &c);
	wire_say(&c, request);
	bench_service(b, 0, "\r\n\r\n");
	if (reset)
		mem_fail(b->service[0].s, mem_sent(b->service[0].s));
	else
		wire_close(&b->service[0]);
	if (repeated) {
		wire_say(bench_service(b, 1, "\r\n\r\n"), BENCH_SECOND);
		UNTIL(b->loop, wire_heard(&c, "second"));
		assert_true(wire_heard(&c, "HTTP/1.1 200 "));
		UNTIL(b->loop, bench_leaf(b)->done == 2);
		assert_int_equal(bench_leaf(b)->last.attempts, 2);
		assert_false(bench_leaf(b)->last.failed);
	} else {
		UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 502 "));
		assert_int_equal(b->services, 1);
	}
	wire_free(&c);
}

EVERYWHERE(stale_get)
{
	stale(b, BENCH_GET, false, true);
}

EVERYWHERE(stale_get_reset)
{
	stale(b, BENCH_GET, true, true);
}

EVERYWHERE(stale_put)
{
	stale(b, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", false, true);
}

/* Nothing of its body was sent, so the service cannot have acted on it. */
EVERYWHERE(stale_post_head)
{
	stale(b, BENCH_POST, false, true);
}

/*
 * Some of its body was sent, and the rest comes when the connection has gone: a repeated one would lack the first
 * bytes, which nobody has any more.
 */
static void stale_in_parts(struct bench *b, const char *first, const char *heard, const char *rest)
{
	struct wire c;
	pooled(b, &c);
	wire_say(&c, first);
	bench_service(b, 0, heard);
	bench_settle(b);
	wire_close(&b->service[0]);
	bench_settle(b);
	wire_say(&c, rest);
	UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 502 "));
	assert_int_equal(b->services, 1);
	wire_free(&c);
}

EVERYWHERE(stale_post_chunked)
{
	stale_in_parts(b, "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
		       "t\r\n", "4\r\nrest\r\n0\r\n\r\n");
}

EVERYWHERE(stale_post_in_parts)
{
	stale_in_parts(b, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfirst", "first", "rest");
}

EVERYWHERE(stale_post)
{
	stale(b, "POST /a HTTP/1.1\r\nHost: x\r\n\r\n", false, false);
}

/* A PUT, of which no body has come yet, is about to be repeated. */
static void put_again(struct bench *b, struct wire *c)
{
	wire_say(c, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
	bench_service(b, 0, "\r\n\r\n");
	bench_settle(b);
	b->slow_opens = true;
	wire_close(&b->service[0]);
	UNTIL(b->loop, b->waiting);
}

/* What the client sends on while its request is being repeated comes behind the first part, all of it. */
EVERYWHERE(repeated_with_body)
{
	struct wire c;
	pooled(b, &c);
	put_again(b, &c);
	wire_say(&c, "abcde");
	bench_settle(b);
	bench_open(b);
	bench_service(b, 1, "\r\n\r\nabcde");
	wire_say(&c, "fghij");
	wire_say(bench_service(b, 1, "\r\n\r\nabcdefghij"), BENCH_SECOND);
	UNTIL(b->loop, wire_heard(&c, "second"));
	assert_int_equal(bench_leaf(b)->last.attempts, 2);
	wire_free(&c);
}

EVERYWHERE(gone_while_repeating)
{
	struct wire c;
	pooled(b, &c);
	put_again(b, &c);
	wire_close(&c);
	UNTIL(b->loop, bench_leaf(b)->done == 2);
	assert_null(b->waiting);
	assert_int_equal(bench_leaf(b)->last.err.kind, ERR_CLIENT_GONE);
	wire_free(&c);
}

/* Bytes that a service says while nobody has asked are not the next request's answer. */
EVERYWHERE(unasked_bytes)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_HELLO BENCH_SECOND);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello") && bench_leaf(b)->done == 1);
	UNTIL(b->loop, bench_leaf(b)->open == 0);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 1, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, wire_count(&c, "hello") == 2);
	assert_false(wire_heard(&c, "second"));
	wire_free(&c);
}

EVERYWHERE(unreachable)
{
	struct wire c;
	b->fail_opens = 2; /* as often as it is tried again */
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	assert_int_equal(bench_leaf(b)->last.attempts, 3);
	b->fail_opens = 3;
	wire_say(&c, "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	if (bench_leaf(b)->idle) { /* the one that is there serves without opening any */
		wire_close(&b->service[0]);
		UNTIL(b->loop, !bench_leaf(b)->idle || bench_leaf(b)->done == 2);
	}
	UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 502 ") && wire_heard(&c, "error=connection_refused"));
	wire_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale_get),
		cmocka_unit_test(test_stale_get_reset),
		cmocka_unit_test(test_stale_put),
		cmocka_unit_test(test_stale_post_head),
		cmocka_unit_test(test_stale_post_chunked),
		cmocka_unit_test(test_stale_post_in_parts),
		cmocka_unit_test(test_stale_post),
		cmocka_unit_test(test_repeated_with_body),
		cmocka_unit_test(test_gone_while_repeating),
		cmocka_unit_test(test_unasked_bytes),
		cmocka_unit_test(test_unreachable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

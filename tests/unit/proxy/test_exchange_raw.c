/* CONNECT and Upgrade: bytes both ways, until each side has ended or one breaks off. */
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

/* The client's first raw bytes come with the request, the service's with its answer. */
EVERYWHERE(connect)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\nearly");
	UNTIL(b->loop, wire_heard(&c, "HTTP/1.1 200 "));
	struct wire *s = bench_service(b, 0, "early");
	assert_int_equal(s->heard.n, 5);
	wire_say(s, "answer");
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nanswer"));
	wire_end(&c); /* one direction ends, the other goes on */
	UNTIL(b->loop, s->heard_end);
	wire_say(s, "more");
	UNTIL(b->loop, wire_heard(&c, "more"));
	wire_end(s);
	UNTIL(b->loop, c.heard_end && bench_leaf(b)->done == 1);
	assert_int_equal(s->err.kind, ERR_NONE);
	assert_int_equal(c.err.kind, ERR_NONE);
	assert_false(bench_leaf(b)->last.failed);
	assert_int_equal(bench_leaf(b)->last.bytes_up, 5);
	assert_int_equal(bench_leaf(b)->last.bytes_down, 10);
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
	assert_int_equal(bench_leaf(b)->done, 0);
	wire_say(&c, "not yet");
	UNTIL(b->loop, wire_heard(s, "not yet"));
	wire_end(&c);
	UNTIL(b->loop, s->heard_end && bench_leaf(b)->done == 1);
	assert_false(bench_leaf(b)->last.failed);
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
	bench_settle(b);
	bench_open(b);
	struct wire *s = bench_service(b, 0, "all of it");
	UNTIL(b->loop, s->heard_end);
	wire_say(s, "and all of this");
	wire_end(s);
	UNTIL(b->loop, wire_heard(&c, "and all of this") && c.heard_end && bench_leaf(b)->done == 1);
	assert_false(bench_leaf(b)->last.failed);
	assert_int_equal(bench_leaf(b)->last.bytes_up, 9);
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
	UNTIL(b->loop, c.heard_end && bench_leaf(b)->done == 1);
	assert_true(bench_leaf(b)->last.failed);
	assert_int_equal(bench_leaf(b)->last.err.kind, ERR_RESET);
	assert_int_equal(bench_leaf(b)->last.err.hop, HOP_SERVICE);
	assert_int_equal(bench_leaf(b)->last.bytes_down, 4);
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
	struct wire *s = bench_service(b, 0, "Upgrade: websocket");
	bench_service(b, 0, "\r\n\r\n");
	wire_say(s,
		 "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi");
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhi"));
	wire_say(&c, "ho");
	bench_service(b, 0, "\r\n\r\nho");
	wire_end(s);
	UNTIL(b->loop, c.heard_end);
	wire_end(&c);
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	assert_false(bench_leaf(b)->last.failed);
	bench_client(b, &d);
	wire_say(&d, BENCH_GET);
	wire_say(bench_service(b, 1, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&d, "\r\n\r\nhello"));
	assert_int_equal(b->channels.count, b->framed ? 1 : 0);
	wire_free(&c);
	wire_free(&d);
}

EVERYWHERE(unasked_101)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"),
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
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	wire_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_connect_service_ends),
		cmocka_unit_test(test_connect_client_ended),
		cmocka_unit_test(test_connect_reset),
		cmocka_unit_test(test_upgrade_then_request),
		cmocka_unit_test(test_unasked_101),
		cmocka_unit_test(test_raw_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

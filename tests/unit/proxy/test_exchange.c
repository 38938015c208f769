/*
 * Exchanges over whole connections in memory, alone and as host and enclave with a framed channel between them:
 * what arrives. Raw bytes, repeating and failures: test_exchange_raw.c, test_exchange_again.c, test_exchange_fail.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#include "support/bench.h"
#include "support/until.h"

#define EVERYWHERE(name) BENCH_TEST(name, NULL)

EVERYWHERE(keep_alive)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	wire_forget(&b->service[0]);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_SECOND);
	UNTIL(b->loop, wire_heard(&c, "second"));
	UNTIL(b->loop, bench_leaf(b)->done == 2);
	assert_int_equal(b->services, 1);
	assert_true(bench_leaf(b)->last.reused);
	assert_false(c.heard_end);
	assert_int_equal(wire_count(&c, "HTTP/1.1 "), 2);
	wire_free(&c);
}

EVERYWHERE(pipelined)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET BENCH_POST "abcde" BENCH_GET);
	wire_say(bench_service(b, 0, "GET "), BENCH_HELLO);
	wire_say(bench_service(b, 0, "abcde"), BENCH_SECOND);
	UNTIL(b->loop, wire_count(&b->service[0], "GET ") == 2);
	wire_say(&b->service[0], "HTTP/1.1 204 No Content\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "204 No Content") && bench_leaf(b)->done == 3);
	assert_int_equal(wire_count(&c, "HTTP/1.1 200"), 2);
	wire_free(&c);
}

EVERYWHERE(chunks_and_trailers)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: up\r\n\r\n");
	struct wire *s = bench_service(b, 0, "X-Sum: up\r\n\r\n");
	assert_true(wire_heard(s, "Transfer-Encoding: chunked\r\n"));
	wire_say(s,
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: down\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "X-Sum: down\r\n\r\n"));
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	assert_int_equal(bench_leaf(b)->last.bytes_up, 11);
	assert_int_equal(bench_leaf(b)->last.bytes_down, 3);
	wire_free(&c);
}

/* Without a length the service ends the body with its connection; the client gets chunks. */
EVERYWHERE(until_close)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	wire_say(s, "HTTP/1.1 200 OK\r\n\r\nhello");
	wire_end(s);
	UNTIL(b->loop, wire_heard(&c, "0\r\n\r\n"));
	assert_true(wire_heard(&c, "Transfer-Encoding: chunked"));
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 1, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, "Content-Length: 5"));
	wire_free(&c);
}

EVERYWHERE(without_body)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
	wire_say(bench_service(b, 0, "HEAD "), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "Content-Length: 5\r\n") && bench_leaf(b)->done == 1);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "GET "), "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "304 Not Modified") && bench_leaf(b)->done == 2);
	wire_forget(&b->service[0]);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "GET "), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nhello"));
	assert_int_equal(b->services, 1);
	wire_free(&c);
}

EVERYWHERE(interim)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	wire_say(s, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "103 Early Hints") && wire_heard(&c, "100 Continue"));
	wire_say(&c, "abcde");
	bench_service(b, 0, "abcde");
	wire_say(s, BENCH_HELLO);
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
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	const char *at = memmem(s->heard.p, s->heard.n, "\r\n\r\n", 4);
	size_t head_size = (size_t)(at - s->heard.p) + 4;
	UNTIL(b->loop, s->heard.n == head_size + size);
	assert_memory_equal(s->heard.p + head_size, body.p, size);
	s->piece = 4096;
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	wire_say(s, head);
	wire_say_span(s, buf_span(&body));
	UNTIL(b->loop, bench_leaf(b)->done == 1 && b->host.done == (b->framed ? 1 : 0));
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

/* A service that answers and closes without reading the request: its answer counts. */
EVERYWHERE(early_answer)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	wire_deafen(s);
	struct buf body;
	buf_init(&body, 50000);
	memset(buf_extend(&body, 50000), 'x', 50000);
	c.piece = 4096;
	wire_say_span(&c, buf_span(&body));
	buf_free(&body);
	bench_settle(b);
	wire_say(s, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
	wire_end(s);
	while (!s->ended)
		loop_step(b->loop, 0);
	wire_close(s);
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nbig"));
	assert_true(wire_heard(&c, "HTTP/1.1 413 "));
	assert_true(wire_heard(&c, "Connection: close"));
	UNTIL(b->loop, bench_leaf(b)->done == 1);
	assert_false(bench_leaf(b)->last.failed);
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
	bench_settle(b);
	bench_open(b);
	UNTIL(b->loop, b->services == 1);
	struct wire *s = &b->service[0];
	wire_deafen(s);
	wire_say(s, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	UNTIL(b->loop, wire_heard(&c, "c\r\n"));
	bench_settle(b);
	wire_listen(s);
	UNTIL(b->loop, s->heard.n && s->heard.p[s->heard.n - 1] == '!');
	assert_true(s->heard.n > body.n);
	assert_memory_equal(s->heard.p + s->heard.n - body.n, body.p, body.n);
	wire_say(s, "0\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, "0\r\n\r\n"));
	wire_free(&c);
	buf_free(&body);
}

/* ---- the end ---- */

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
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 1, "\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\nab");
	wire_say(&d, BENCH_POST "ab");
	bench_service(b, 2, "ab");
	b->slow_opens = true;
	wire_say(&e, BENCH_GET);
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
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_answer_before_request_is_sent),
		cmocka_unit_test(test_abandoned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the proxy answers itself: which paths, in what form, and those that wait for the next hop's word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/local.h"
#include "support/bench.h"
#include "support/until.h"

static struct local_waiting waiting;

/* In place of the bench's own: finds the target and answers as a role does. */
static void on_request(void *owner, struct server_conn *c, struct leg *leg, struct part *part)
{
	struct bench *b = owner;
	struct error err;
	(void)c;
	struct exchange *x = exchange_new(b->loop, &b->enclave.role, 1, leg, part);
	if (!target_of(part->head, 8192, &exchange_info(x)->target, &err)) {
		exchange_refuse(x, &err);
		return;
	}
	switch (local_path(x)) {
	case LOCAL_HEALTH:
		local_wait(&waiting, x);
		return;
	case LOCAL_METRICS:
		local_metrics(x, SPAN("up 1\n"));
		return;
	case LOCAL_ATTESTATION: /* what the enclave alone can answer */
	case LOCAL_OTHER:
		local_other(x);
		return;
	}
}

static void start(struct bench *b)
{
	bench_start(b, 4096, false);
	b->conns.on_request = on_request;
	local_init(&waiting);
}

static const struct {
	const char *request, *status, *has;
} rows[] = {
	{"GET /health/live", "200 OK", "\r\n\r\n{\"status\":\"ok\"}"},
	{"GET /health/live?x=1", "200 OK", "Content-Type: application/json\r\n"},
	{"HEAD /health/live", "200 OK", "Content-Length: 15\r\n"},
	{"GET /metrics", "200 OK", "\r\n\r\nup 1\n"},
	{"GET /metrics", "200 OK", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"},
	{"GET /metrics", "200 OK", "Cache-Control: no-store\r\n"},
	{"OPTIONS *", "204 No Content", "Cache-Control: no-store\r\n"},
	{"GET /", "404 Not Found", "X-Target-URL"},
	{"POST /health", "404 Not Found", "\"kind\":\"not_found\""},
	{"GET /healthy", "404 Not Found", "\"hop\":\"client\""},
};

static void test_paths(void **state)
{
	(void)state;
	struct bench b;
	struct wire c;
	start(&b);
	bench_client(&b, &c);
	for (size_t i = 0; i < countof(rows); i++) {
		wire_forget(&c);
		wire_say(&c, rows[i].request);
		wire_say(&c, " HTTP/1.1\r\nHost: x\r\n\r\n");
		UNTIL(b.loop, b.enclave.done == i + 1 && wire_heard(&c, "\r\n\r\n"));
		if (!wire_heard(&c, rows[i].status) || !wire_heard(&c, rows[i].has))
			fail_msg("%s: %s", rows[i].request, buf_text(&c.heard));
	}
	assert_false(c.heard_end); /* one connection for all of them */
	wire_free(&c);
	bench_end(&b);
}

static void test_waiting(void **state)
{
	(void)state;
	struct bench b;
	static struct wire c[LOCAL_WAITING_MAX + 1];
	start(&b);
	for (size_t i = 0; i < countof(c); i++) {
		bench_client(&b, &c[i]);
		wire_say(&c[i], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
	}
	UNTIL(b.loop, b.enclave.done == 1); /* one too many */
	assert_int_equal(waiting.count, LOCAL_WAITING_MAX);
	struct exchange *gone = waiting.x[3];
	local_forget(&waiting, gone);
	local_forget(&waiting, gone);
	assert_int_equal(waiting.count, LOCAL_WAITING_MAX - 1);
	waiting.x[waiting.count++] = gone;
	local_answer_all(&waiting, SPAN("{\"status\":\"failed\"}"), false);
	assert_int_equal(waiting.count, 0);
	UNTIL(b.loop, b.enclave.done == countof(c));
	unsigned refused = 0, failed = 0;
	for (size_t i = 0; i < countof(c); i++) {
		UNTIL(b.loop, wire_heard(&c[i], "}"));
		refused += wire_heard(&c[i], "HTTP/1.1 429 ");
		failed += wire_heard(&c[i], "HTTP/1.1 503 ") &&
			  wire_heard(&c[i], "\r\n\r\n{\"status\":\"failed\"}");
		wire_free(&c[i]);
	}
	assert_int_equal(refused, 1);
	assert_int_equal(failed, LOCAL_WAITING_MAX);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

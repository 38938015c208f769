/*
 * The client's side of a connection: when it can carry another exchange and when it is dead, and that the
 * owner may free it from inside the call that says so. What it carries: tests/unit/proxy/test_exchange.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/client_conn.h"
#include "support/mem_stream.h"
#include "support/until.h"
#include "support/wire.h"

struct bench {
	struct loop *loop;
	struct client_conn *c; /* NULL: it was freed */
	struct wire far;
	struct leg *leg;
	unsigned idle, dead, heads;
	bool sent, ended;
	enum error_kind kind; /* of what was read; the last */
};

static void on_idle(void *owner, struct client_conn *c)
{
	(void)c;
	((struct bench *)owner)->idle++;
}

static void on_dead(void *owner, struct client_conn *c)
{
	struct bench *b = owner;
	b->dead++;
	b->c = NULL;
	client_conn_free(c);
}

static void start(struct bench *b, size_t capacity)
{
	static const struct parse_limits limits = {4096, 20, 4096};
	struct stream *near, *far;
	*b = (struct bench){.loop = loop_new()};
	mem_pair(b->loop, capacity, &near, &far);
	wire_start(&b->far, far, capacity);
	b->c = client_conn_new(near, &limits, &(struct client_conn_events){on_idle, on_dead, b});
}

static void end(struct bench *b)
{
	if (b->c)
		client_conn_free(b->c);
	wire_free(&b->far);
	assert_int_equal(loop_blocks(b->loop)->used, 0);
	loop_free(b->loop);
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct bench *b = arg;
	b->kind = err ? err->kind : ERR_NONE;
	b->ended = !part || part->end;
	if (!part)
		return;
	b->heads += part->head != NULL;
	block_put(part->data);
	if (!part->end)
		leg_read(b->leg, on_part, b);
}

static void on_sent(void *arg, const struct error *err)
{
	(void)err;
	((struct bench *)arg)->sent = true;
}

/* Sends a request, has it answered, and closes the leg when the answer is complete or broken. */
static void exchange(struct bench *b, const char *method, const char *answer)
{
	struct head h;
	struct part part = {.head = &h, .end = true};
	head_init_request(&h, span_of(method), SPAN("/"));
	head_add(&h, SPAN("Host"), SPAN("x"));
	b->leg = client_conn_leg(b->c);
	b->ended = b->sent = false;
	leg_send(b->leg, &part, on_sent, b);
	leg_read(b->leg, on_part, b);
	UNTIL(b->loop, wire_heard(&b->far, "\r\n\r\n"));
	wire_forget(&b->far);
	wire_say(&b->far, answer);
	if (!*answer)
		wire_end(&b->far);
	UNTIL(b->loop, b->ended && b->sent);
	leg_close(b->leg, NULL);
}

static const struct {
	const char *method, *answer;
	bool again; /* the connection can carry another exchange */
	enum error_kind kind;
} rows[] = {
	{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, ERR_NONE},
	{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n", true,
	 ERR_NONE},
	{"GET", "HTTP/1.1 103 Hi\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true, ERR_NONE},
	{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, ERR_NONE},
	{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", false, ERR_NONE},
	{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false, ERR_NONE},
	{"GET", "ICY 200 OK\r\n\r\n", false, ERR_BAD_RESPONSE},
	{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz", false, ERR_BAD_RESPONSE},
	{"GET", "", false, ERR_RESET},
};

static void test_fate(void **state)
{
	(void)state;
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < 3 * countof(rows); i++) {
		struct bench b;
		start(&b, capacities[i % 3]);
		exchange(&b, rows[i / 3].method, rows[i / 3].answer);
		assert_int_equal(b.kind, rows[i / 3].kind);
		assert_int_equal(b.idle, rows[i / 3].again);
		assert_int_equal(b.dead, !rows[i / 3].again);
		if (rows[i / 3].again) {
			assert_false(client_conn_reused(b.c));
			assert_int_equal(loop_blocks(b.loop)->used, 0); /* while idle */
			exchange(&b, "GET", rows[0].answer);
			assert_true(client_conn_reused(b.c));
			assert_int_equal(b.idle, 2);
		}
		end(&b);
	}
}

/* While idle the peer can only end it, whatever it says. */
static void test_idle(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct bench b;
		start(&b, 7);
		exchange(&b, "GET", rows[0].answer);
		assert_false(client_conn_stale(b.c));
		if (how == 0)
			wire_end(&b.far);
		else if (how == 1)
			mem_fail(b.far.s, mem_sent(b.far.s));
		else
			wire_say(&b.far, "HTTP/1.1 408 Request Timeout\r\n\r\n");
		assert_true(client_conn_stale(b.c)); /* before the loop has said so */
		UNTIL(b.loop, b.dead == 1);
		end(&b);
	}
}

/* A leg closed before its time leaves the connection in the middle of a message. */
static void test_given_up(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct bench b;
		struct head h;
		struct part part = {.head = &h, .end = true};
		head_init_request(&h, SPAN("GET"), SPAN("/"));
		start(&b, 7);
		b.leg = client_conn_leg(b.c);
		if (how > 0)
			leg_send(b.leg, &part, on_sent, &b);
		if (how > 1)
			leg_read(b.leg, on_part, &b);
		leg_close(b.leg, NULL);
		assert_int_equal(b.dead, 1);
		for (int i = 0; i < 5; i++)
			loop_step(b.loop, 0);
		assert_false(b.sent || b.ended); /* no callback behind the close */
		end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fate),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

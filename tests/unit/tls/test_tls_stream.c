/* Our client against our server over a memory stream: all that is said arrives, however it is cut and asked for. */
#include <stdlib.h>

#include "unit/tls/one_world.h"

static struct span bytes(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 31 + (i >> 8));
	return (struct span){p, n};
}

static void exchange(size_t capacity, size_t n)
{
	struct tls_pair p;
	char *data = malloc(n);
	struct span sent = bytes(data, n);
	tls_pair_start(&p, loop, &world, capacity, NULL);
	secure(&p);
	tls_side_read(&p.client);
	tls_side_read(&p.server);
	tls_side_write(&p.client, sent);
	tls_side_write(&p.server, sent);
	tls_pair_settle(&p);
	assert_true(p.client.written && p.server.written);
	assert_true(span_is(buf_span(&p.server.got), sent));
	assert_true(span_is(buf_span(&p.client.got), sent));
	/* Both wait for more, and hold nothing meanwhile. */
	assert_int_equal(loop_blocks(loop)->used, 0);
	tls_side_shutdown(&p.client);
	tls_pair_settle(&p);
	assert_true(p.server.ended && !p.server.failed);
	assert_false(p.client.ended);
	/* One direction has ended; the other goes on. */
	tls_side_write(&p.server, SPAN("still here"));
	tls_pair_settle(&p);
	assert_int_equal(p.client.got.n, n + 10);
	tls_side_shutdown(&p.server);
	tls_pair_settle(&p);
	assert_true(p.client.ended && !p.client.failed);
	tls_pair_free(&p);
	free(data);
}

static void capacity_1(void **state)
{
	(void)state;
	exchange(1, 700);
}

static void capacity_7(void **state)
{
	(void)state;
	exchange(7, 20000);
}

static void capacity_4096(void **state)
{
	(void)state;
	exchange(4096, 300000);
}

/* The server's tickets are read when an upload is stuck: that must not seal a record twice. */
static void a_ticket_in_the_middle_of_an_upload(void **state)
{
	(void)state;
	struct tls_pair p;
	struct tls_world w;
	struct tls_options with_tickets = {0};
	static char data[300000];
	struct span sent = bytes(data, sizeof data);
	tls_world_init(&w, NULL, &with_tickets);
	tls_pair_start(&p, loop, &w, 4096, NULL);
	secure(&p);
	tls_side_write(&p.client, sent);
	tls_pair_settle(&p); /* as much as fits; nobody reads at the other end */
	tls_side_read(&p.client);
	tls_pair_settle(&p); /* the tickets */
	tls_side_read(&p.server);
	tls_pair_settle(&p);
	assert_true(p.client.written);
	assert_int_equal(p.server.got.n, sent.n);
	assert_true(span_is(buf_span(&p.server.got), sent));
	tls_pair_free(&p);
	tls_world_free(&w);
}

/* Whenever it is asked for: in the middle of records, with tickets unread, between two requests. */
static void rest_at_any_time(void **state)
{
	(void)state;
	struct tls_pair p;
	struct tls_world w;
	struct tls_options with_tickets = {0};
	static char data[60000];
	struct span sent = bytes(data, sizeof data);
	tls_world_init(&w, NULL, &with_tickets);
	tls_pair_start(&p, loop, &w, 100, NULL);
	secure(&p);
	tls_rest(p.client.s);
	for (unsigned round = 1; round <= 2; round++) {
		tls_side_write(&p.client, sent);
		tls_side_write(&p.server, sent);
		if (round == 1) {
			tls_side_read(&p.client);
			tls_side_read(&p.server);
		}
		while (loop_step(loop, 0)) {
			tls_rest(p.client.s);
			tls_rest(p.server.s);
		}
		assert_int_equal(p.client.got.n, round * sent.n);
		assert_int_equal(p.server.got.n, round * sent.n);
		assert_true(p.client.written && p.server.written);
		tls_rest(p.client.s);
		tls_rest(p.server.s);
		p.client.written = p.server.written = false;
	}
	assert_true(span_is(span_from(buf_span(&p.client.got), sent.n), sent));
	assert_true(span_is(span_from(buf_span(&p.server.got), sent.n), sent));
	tls_side_shutdown(&p.client);
	tls_pair_settle(&p);
	assert_true(p.server.ended && !p.server.failed);
	tls_rest(p.client.s);
	tls_pair_free(&p);
	tls_world_free(&w);
}

static void records_are_delivered_together(void **state)
{
	(void)state;
	struct tls_pair p;
	static char data[200000];
	struct span sent = bytes(data, sizeof data);
	tls_pair_start(&p, loop, &world, 1u << 20, NULL);
	secure(&p);
	tls_side_write(&p.server, sent);
	tls_pair_settle(&p);
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	assert_true(span_is(buf_span(&p.client.got), sent));
	/* 13 records or more; not one delivery each. */
	assert_in_range(p.client.reads, 4, 8);
	tls_pair_free(&p);
}

/* A read that was taken back loses nothing, also when bytes came meanwhile. */
static void a_read_is_taken_back(void **state)
{
	(void)state;
	struct tls_pair p;
	tls_pair_start(&p, loop, &world, 4096, NULL);
	secure(&p);
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	stream_read_cancel(p.client.s);
	tls_side_write(&p.server, SPAN("meanwhile"));
	tls_pair_settle(&p);
	assert_int_equal(p.client.got.n, 0);
	tls_side_read(&p.client);
	tls_pair_settle(&p);
	assert_true(span_is(buf_span(&p.client.got), SPAN("meanwhile")));
	tls_pair_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacity_1),		cmocka_unit_test(capacity_7),
		cmocka_unit_test(capacity_4096),	cmocka_unit_test(a_ticket_in_the_middle_of_an_upload),
		cmocka_unit_test(rest_at_any_time),	cmocka_unit_test(records_are_delivered_together),
		cmocka_unit_test(a_read_is_taken_back),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

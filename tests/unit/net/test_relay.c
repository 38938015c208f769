#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/relay.h"
#include "support/mem_stream.h"
#include "support/sockets.h"
#include "support/talker.h"
#include "support/until.h"

/* client =pair= a [relay] b =pair= service */
struct bench {
	struct loop *loop;
	struct relay *relay; /* NULL when it is over */
	struct stream *a, *b;
	struct talker client, service;
	struct splice_pool *pipes;
	bool over, failed;
	struct error err;
	uint64_t up, down;
};

static void on_over(void *arg, const struct relay_result *result)
{
	struct bench *t = arg;
	t->relay = NULL;
	t->over = true;
	t->up = result->a_to_b;
	t->down = result->b_to_a;
	t->failed = result->err;
	if (result->err)
		t->err = *result->err;
}

static struct bench *bench_new(void)
{
	struct bench *t = mem_zero(sizeof *t);
	t->loop = loop_new();
	t->pipes = splice_pool_new(4);
	return t;
}

static void start(struct bench *t, uint64_t idle_ms, bool splice)
{
	struct relay_options options = {.idle_ms = idle_ms, .pipes = splice ? t->pipes : NULL};
	t->relay = relay_start(t->a, t->b, &options, on_over, t);
}

/*
 * Over memory streams of that capacity. breakage: mem_cut or mem_fail, of what the client sends, at byte n.
 */
static struct bench *bench_broken(size_t cap, uint64_t up, uint64_t down,
				  void (*breakage)(struct stream *s, uint64_t n), uint64_t n)
{
	struct bench *t = bench_new();
	struct stream *client, *service;
	mem_pair(t->loop, cap, &client, &t->a);
	mem_pair(t->loop, cap, &service, &t->b);
	if (breakage)
		breakage(client, n);
	talker_start(&t->client, client, 1, up, 5000, 2);
	talker_start(&t->service, service, 2, down, 5000, 1);
	return t;
}

static struct bench *bench_mem(size_t cap, uint64_t up, uint64_t down)
{
	return bench_broken(cap, up, down, NULL, 0);
}

/* loop_free finds what was left behind: watches, tasks, timers; the leak checker the rest. */
static void bench_free(struct bench *t)
{
	if (t->relay)
		relay_cancel(t->relay);
	talker_close(&t->client);
	talker_close(&t->service);
	splice_pool_free(t->pipes);
	loop_free(t->loop);
	free(t);
}

static void assert_whole(const struct bench *t, uint64_t up, uint64_t down)
{
	assert_false(t->failed);
	assert_int_equal(t->up, up);
	assert_int_equal(t->down, down);
	assert_int_equal(t->service.got, up);
	assert_int_equal(t->client.got, down);
	assert_false(t->service.wrong || t->client.wrong);
	assert_true(t->service.heard_end && t->client.heard_end);
}

static void whole_at_any_capacity(void **state)
{
	static const size_t caps[] = {1, 7, 4096};
	static const uint64_t sizes[][2] = {{0, 0}, {1, 0}, {0, 1}, {300, 2500}, {6000, 300}};
	(void)state;
	for (size_t i = 0; i < countof(caps); i++) {
		for (size_t k = 0; k < countof(sizes); k++) {
			struct bench *t = bench_mem(caps[i], sizes[k][0], sizes[k][1]);
			start(t, 60000, true);
			UNTIL(t->loop, t->over && t->client.heard_end && t->service.heard_end);
			assert_whole(t, sizes[k][0], sizes[k][1]);
			bench_free(t);
		}
	}
}

/* The service answers only when it has heard the client's end: a half-close is passed on as one. */
static void half_close_both_ways(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct bench *t = bench_mem(7, 0, 0);
		struct talker *asks = first ? &t->client : &t->service;
		struct talker *answers = first ? &t->service : &t->client;
		/* The one that answers must not have ended by itself: make it anew. */
		talker_close(answers);
		stream_close(first ? t->b : t->a);
		struct stream *s;
		mem_pair(t->loop, 7, &s, first ? &t->b : &t->a);
		answers->s = s;
		answers->stays = true;
		answers->heard_end = false;
		talker_listen(answers);
		start(t, 60000, false);
		UNTIL(t->loop, answers->heard_end);
		assert_false(t->over);
		assert_false(asks->heard_end);
		answers->stays = false;
		talker_say(answers, 1000);
		UNTIL(t->loop, t->over && asks->heard_end);
		assert_int_equal(asks->got, 1000);
		assert_false(t->failed || asks->wrong);
		bench_free(t);
	}
}

/* The client's direction is cut at each byte: what came before it is handed on, and then the end. */
static void cut_at_each_byte(void **state)
{
	(void)state;
	for (uint64_t n = 0; n <= 40; n++) {
		struct bench *t = bench_broken(7, 40, 100, mem_cut, n);
		start(t, 60000, false);
		UNTIL(t->loop, t->over && t->service.heard_end && t->client.heard_end);
		assert_int_equal(t->service.got, n);
		assert_int_equal(t->client.got, 100);
		assert_int_equal(t->up, n);
		assert_false(t->failed || t->service.wrong);
		bench_free(t);
	}
}

/* A failed read at each byte: what came before it is handed on, then all ends with the error. */
static void read_fails_at_each_byte(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 40; n++) {
		struct bench *t = bench_broken(7, 40, 0, mem_fail, n);
		start(t, 60000, false);
		UNTIL(t->loop, t->over && t->service.heard_end);
		assert_true(t->failed);
		assert_int_equal(t->err.kind, ERR_RESET);
		assert_int_equal(t->service.got, n);
		assert_int_equal(t->up, n);
		assert_false(t->service.wrong);
		bench_free(t);
	}
}

/* The service takes no more at byte n, but what it has to say still reaches the client. */
static void write_fails_at_each_byte(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 40; n++) {
		struct bench *t = bench_mem(7, 40, 100);
		mem_fail(t->b, n);
		start(t, 60000, false);
		UNTIL(t->loop, t->over && t->client.heard_end);
		assert_true(t->failed);
		assert_int_equal(t->err.kind, ERR_RESET);
		assert_int_equal(t->client.got, 100);
		assert_int_equal(t->down, 100);
		assert_false(t->client.wrong);
		bench_free(t);
	}
}

static void read_ahead_comes_first(void **state)
{
	(void)state;
	struct bench *t = bench_mem(4096, 0, 0);
	struct block *b = block_get(loop_blocks(t->loop));
	for (b->len = 0; b->len < 100; b->len++)
		b->data[b->len] = talker_byte(1, b->len);
	stream_unread(t->a, b);
	start(t, 60000, true);
	UNTIL(t->loop, t->over && t->service.heard_end);
	assert_whole(t, 100, 0);
	bench_free(t);
}

static void idle_is_an_error(void **state)
{
	(void)state;
	struct bench *t = bench_mem(16, 10, 10);
	t->client.stays = t->service.stays = true;
	start(t, 20, false);
	UNTIL(t->loop, t->over);
	assert_true(t->failed);
	assert_int_equal(t->err.kind, ERR_TIMEOUT);
	assert_int_equal(t->service.got, 10);
	assert_int_equal(t->client.got, 10);
	bench_free(t);
}

static void nothing_is_left_when_cancelled(void **state)
{
	(void)state;
	for (int steps = 0; steps < 60; steps++) {
		struct bench *t = bench_mem(64, 3000, 3000);
		start(t, 60000, false);
		for (int i = 0; i < steps && !t->over; i++)
			loop_step(t->loop, 0);
		bench_free(t);
	}
}

/* ---- sockets, bulk ---- */

static struct bench *bench_sockets(int client_family, int service_family, uint64_t up, uint64_t down)
{
	struct bench *t = bench_new();
	struct stream *client, *service;
	socket_streams(t->loop, client_family, &client, &t->a);
	socket_streams(t->loop, service_family, &service, &t->b);
	talker_start(&t->client, client, 1, up, sizeof t->client.out, 2);
	talker_start(&t->service, service, 2, down, sizeof t->service.out, 1);
	return t;
}

static void bulk(int client_family, int service_family, uint64_t up, uint64_t down, bool splice)
{
	struct bench *t = bench_sockets(client_family, service_family, up, down);
	size_t before = pipes_open();
	start(t, 60000, splice);
	UNTIL(t->loop, t->over && t->client.heard_end && t->service.heard_end);
	assert_whole(t, up, down);
	assert_int_equal(pipes_open() > before, splice && up + down > 1 << 20); /* the pool keeps them */
	bench_free(t);
}

static void bulk_is_spliced(void **state)
{
	static const int families[] = {AF_UNIX, AF_INET};
	(void)state;
	const uint64_t much = (1 << 20) + 12345;
	for (size_t i = 0; i < 4; i++) {
		int client = families[i / 2], service = families[i % 2];
		bulk(client, service, much, 0, true);
		bulk(client, service, 0, much, true);
		bulk(client, service, much, much, true);
		bulk(client, service, much, much, false);
	}
}

static void little_is_not_spliced(void **state)
{
	(void)state;
	bulk(AF_UNIX, AF_INET, 60000, 60000, true);
}

static void cancelled_in_the_middle_of_bulk(void **state)
{
	(void)state;
	for (int steps = 0; steps < 40; steps += 3) {
		struct bench *t = bench_sockets(AF_UNIX, AF_INET, 1 << 20, 1 << 20);
		start(t, 60000, true);
		for (int i = 0; i < steps && !t->over; i++)
			loop_step(t->loop, 0);
		bench_free(t);
	}
}

/* The client goes away with bulk under way in both directions. */
static void peer_gone_in_the_middle_of_bulk(void **state)
{
	(void)state;
	struct bench *t = bench_sockets(AF_UNIX, AF_INET, 4 << 20, 4 << 20);
	start(t, 60000, true);
	UNTIL(t->loop, t->client.got > 1 << 19);
	talker_close(&t->client);
	UNTIL(t->loop, t->over);
	assert_true(t->failed);
	assert_int_equal(t->err.kind, ERR_RESET);
	assert_false(t->service.wrong);
	bench_free(t);
}

/*
 * One of the two breaks off, idle or in the middle of bulk, over sockets of either kind: the other one gets
 * an error for it, and not an end.
 */
static void a_break_is_passed_on(void **state)
{
	static const int families[] = {AF_UNIX, AF_INET};
	(void)state;
	for (int i = 0; i < 8; i++) {
		bool bulk = i & 1, client_breaks = i & 2;
		int family = families[i >> 2];
		uint64_t much = bulk ? 4 << 20 : 100;
		struct bench *t = bench_new();
		struct talker *breaks = client_breaks ? &t->client : &t->service;
		struct talker *hears = client_breaks ? &t->service : &t->client;
		struct stream *client, *service;
		socket_streams(t->loop, client_breaks ? family : AF_INET, &client, &t->a);
		socket_streams(t->loop, client_breaks ? AF_INET : family, &service, &t->b);
		stream_require_end(client_breaks ? t->a : t->b);
		talker_start(&t->client, client, 1, client_breaks ? much : 1, sizeof t->client.out, 2);
		talker_start(&t->service, service, 2, client_breaks ? 1 : much, sizeof t->service.out, 1);
		t->client.stays = t->service.stays = true;
		start(t, 60000, true);
		UNTIL(t->loop, bulk ? hears->got > 1 << 19 : hears->got == much);
		stream_abort(breaks->s);
		breaks->s = NULL;
		UNTIL(t->loop, t->over && (hears->read_failed || hears->heard_end));
		assert_true(t->failed && hears->read_failed);
		assert_int_equal(t->err.kind, ERR_RESET);
		assert_int_equal(hears->read_error.kind, ERR_RESET);
		assert_false(hears->wrong);
		bench_free(t);
	}
}

/* The service has answered and ended, and takes no more: the client is not reset before it has read that. */
static void an_answer_outlives_a_failed_upload(void **state)
{
	(void)state;
	struct bench *t = bench_new();
	struct stream *client;
	int service;
	socket_streams(t->loop, AF_INET, &client, &t->a);
	t->b = socket_stream(t->loop, AF_INET, &service);
	start(t, 60000, true);
	assert_int_equal(send(service, "no", 2, 0), 2);
	assert_int_equal(shutdown(service, SHUT_WR), 0);
	talker_start(&t->client, client, 1, 8 << 20, sizeof t->client.out, 0);
	UNTIL(t->loop, t->client.sent > 1 << 20); /* nobody reads: what has not gone is to be swallowed */
	close(service);
	UNTIL(t->loop, t->over);
	assert_true(t->failed);
	assert_true(t->client.said && t->client.heard_end);
	assert_false(t->client.send_failed);
	bench_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_at_any_capacity),
		cmocka_unit_test(half_close_both_ways),
		cmocka_unit_test(cut_at_each_byte),
		cmocka_unit_test(read_fails_at_each_byte),
		cmocka_unit_test(write_fails_at_each_byte),
		cmocka_unit_test(read_ahead_comes_first),
		cmocka_unit_test(idle_is_an_error),
		cmocka_unit_test(nothing_is_left_when_cancelled),
		cmocka_unit_test(bulk_is_spliced),
		cmocka_unit_test(little_is_not_spliced),
		cmocka_unit_test(cancelled_in_the_middle_of_bulk),
		cmocka_unit_test(peer_gone_in_the_middle_of_bulk),
		cmocka_unit_test(a_break_is_passed_on),
		cmocka_unit_test(an_answer_outlives_a_failed_upload),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

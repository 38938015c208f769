/* Streams over sockets: what net/stream.h promises, with the kernel under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/sockets.h"
#include "support/talker.h"
#include "support/until.h"

static const int families[] = {AF_UNIX, AF_INET};

struct seen {
	struct block *b;
	bool called, ended, failed;
	struct error err;
};

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct seen *seen = arg;
	seen->called = true;
	seen->b = b;
	seen->ended = !b && !err;
	seen->failed = err;
	if (err)
		seen->err = *err;
}

static void on_written(void *arg, const struct error *err)
{
	on_read(arg, NULL, err);
}

static void whole_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(families); i++) {
		struct loop *l = loop_new();
		struct talker *a = mem_zero(sizeof *a), *b = mem_zero(sizeof *b);
		struct stream *near, *far;
		socket_streams(l, families[i], &near, &far);
		talker_start(a, near, 1, 2000000, 65536, 2);
		talker_start(b, far, 2, 1234567, 999, 1);
		UNTIL(l, a->heard_end && b->heard_end);
		assert_int_equal(b->got, 2000000);
		assert_int_equal(a->got, 1234567);
		assert_false(a->wrong || b->wrong);
		talker_close(a);
		talker_close(b);
		free(a);
		free(b);
		loop_free(l);
	}
}

/* Callbacks come from the loop, and a waiting read holds no block. */
static void never_from_inside(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(families); i++) {
		struct loop *l = loop_new();
		int other;
		struct stream *s = socket_stream(l, families[i], &other);
		struct seen r = {0}, w = {0};
		assert_int_equal(send(other, "x", 1, 0), 1);
		stream_read(s, on_read, &r);
		stream_write(s, &SPAN("y"), 1, on_written, &w);
		assert_false(r.called || w.called);
		assert_true(stream_reading(s) && stream_writing(s));
		UNTIL(l, r.called && w.called);
		assert_false(stream_reading(s) || stream_writing(s));
		block_put(r.b);
		r = (struct seen){0};
		stream_read(s, on_read, &r);
		loop_step(l, 1);
		assert_int_equal(loop_blocks(l)->used, 0);
		assert_false(r.called);
		stream_close(s);
		loop_step(l, 1);
		assert_false(r.called); /* silent at once */
		close(other);
		loop_free(l);
	}
}

static void unread_and_cancel_lose_nothing(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	int other;
	struct stream *s = socket_stream(l, AF_UNIX, &other);
	struct seen r = {0};
	assert_int_equal(send(other, "abcdef", 6, 0), 6);
	stream_read(s, on_read, &r);
	UNTIL(l, r.called);
	block_take(r.b, 2);
	stream_unread(s, r.b);
	r = (struct seen){0};
	stream_read(s, on_read, &r);
	stream_read_cancel(s); /* its bytes were there already */
	loop_step(l, 1);
	assert_false(r.called);
	stream_read(s, on_read, &r);
	UNTIL(l, r.called);
	assert_true(span_is(block_span(r.b), SPAN("cdef")));
	block_put(r.b);
	r = (struct seen){0};
	stream_read(s, on_read, &r); /* cancelled while it waits */
	stream_read_cancel(s);
	assert_int_equal(send(other, "g", 1, 0), 1);
	loop_step(l, 1);
	assert_false(r.called);
	stream_read(s, on_read, &r);
	UNTIL(l, r.called);
	assert_true(span_is(block_span(r.b), SPAN("g")));
	block_put(r.b);
	stream_close(s);
	close(other);
	loop_free(l);
}

static void ends_are_per_direction(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(families); i++) {
		struct loop *l = loop_new();
		int other;
		char got[4];
		struct stream *s = socket_stream(l, families[i], &other);
		struct seen r = {0}, w = {0};
		shutdown(other, SHUT_WR);
		for (int again = 0; again < 2; again++) { /* it stays ended */
			r = (struct seen){0};
			stream_read(s, on_read, &r);
			UNTIL(l, r.called);
			assert_true(r.ended);
		}
		stream_write(s, &SPAN("abc"), 1, on_written, &w);
		UNTIL(l, w.called);
		assert_false(w.failed);
		assert_int_equal(recv(other, got, sizeof got, 0), 3);
		w = (struct seen){0};
		stream_shutdown(s, on_written, &w);
		UNTIL(l, w.called);
		assert_false(w.failed);
		assert_int_equal(recv(other, got, sizeof got, 0), 0);
		stream_close(s);
		close(other);
		loop_free(l);
	}
}

/* The kernel says nothing of an error behind an end: what errno still holds is another stream's. */
static void an_end_is_no_error(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct loop *l = loop_new();
		struct seen r = {0};
		int other;
		struct stream *s = socket_stream(l, i ? AF_UNIX : AF_INET, &other);
		assert_int_equal(shutdown(other, SHUT_WR), 0);
		do { /* the end may still be on its way */
			errno = ECONNRESET;
			if (!stream_reading(s) && !r.called)
				stream_read(s, on_read, &r);
			loop_step(l, 1);
		} while (!r.called);
		assert_null(r.b);
		assert_false(r.failed);
		stream_close(s);
		close(other);
		loop_free(l);
	}
}

static void errors_stay(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	int other;
	struct stream *s = socket_stream(l, AF_INET, &other);
	struct seen w = {0}, r = {0};
	struct linger reset = {.l_onoff = 1};
	setsockopt(other, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(other);
	for (int again = 0; again < 2; again++) {
		r = (struct seen){0};
		stream_read(s, on_read, &r);
		UNTIL(l, r.called);
		assert_true(r.failed);
		assert_int_equal(r.err.kind, ERR_RESET);
	}
	for (int again = 0; again < 2; again++) {
		w = (struct seen){0};
		stream_write(s, &SPAN("x"), 1, on_written, &w);
		UNTIL(l, w.called);
		assert_true(w.failed);
		assert_int_equal(w.err.kind, ERR_RESET);
	}
	stream_close(s);
	loop_free(l);
}

/* Spans, empty ones among them, leave in order; more than the socket takes at once waits for the reader. */
/* What a peer does, and what the reader gets behind the byte that came first. */
static void reads(int family, bool required, bool end_first, bool half, struct seen *r)
{
	struct loop *l = loop_new();
	int other;
	struct stream *s = socket_stream(l, family, &other);
	if (required)
		stream_require_end(s);
	if (end_first) {
		struct seen w = {0};
		stream_shutdown(s, on_written, &w);
		UNTIL(l, w.called);
	}
	assert_int_equal(send(other, "x", 1, 0), 1);
	assert_int_equal(half ? shutdown(other, SHUT_WR) : close(other), 0);
	*r = (struct seen){0};
	stream_read(s, on_read, r);
	UNTIL(l, r->called);
	assert_true(r->b && r->b->len == 1);
	block_put(r->b);
	*r = (struct seen){0};
	stream_read(s, on_read, r);
	UNTIL(l, r->called);
	stream_close(s);
	if (half)
		close(other);
	loop_free(l);
}

/* A unix socket can only be closed, but a peer that promised to end first has broken off then. */
static void a_close_is_told_from_an_end(void **state)
{
	struct seen r;
	(void)state;
	for (size_t i = 0; i < countof(families); i++) {
		reads(families[i], false, false, false, &r);
		assert_true(r.ended);
		reads(families[i], true, false, true, &r);
		assert_true(r.ended);
		reads(families[i], true, true, false, &r);
		assert_true(r.ended);
	}
	reads(AF_UNIX, true, false, false, &r);
	assert_true(r.failed);
	assert_int_equal(r.err.kind, ERR_RESET);
}

static void an_abort_is_no_end(void **state)
{
	(void)state;
	for (int aborts = 0; aborts < 2; aborts++) {
		struct loop *l = loop_new();
		int other;
		char byte;
		struct stream *s = socket_stream(l, AF_INET, &other);
		aborts ? stream_abort(s) : stream_close(s);
		errno = 0;
		assert_int_equal(recv(other, &byte, 1, 0), aborts ? -1 : 0);
		assert_int_equal(errno, aborts ? ECONNRESET : 0);
		close(other);
		loop_free(l);
	}
	stream_abort(NULL);
}

static void spans(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	int other;
	size_t much = 4 << 20, got = 0;
	char *big = mem_zero(much), *in = mem_alloc(65536);
	struct stream *s = socket_stream(l, AF_UNIX, &other);
	struct seen w = {0};
	memset(big, 'b', much);
	const struct span v[] = {SPAN(""), SPAN("a"), {big, much}, SPAN(""), SPAN("c")};
	stream_write(s, v, countof(v), on_written, &w);
	loop_step(l, 1);
	assert_false(w.called);
	for (ssize_t n; got < much + 2; got += (size_t)n) {
		loop_step(l, 0);
		n = recv(other, in, 65536, MSG_DONTWAIT);
		if (n < 0) {
			n = 0;
			continue;
		}
		for (size_t i = 0; i < (size_t)n; i++)
			if (in[i] != (got + i == 0 ? 'a' : got + i == much + 1 ? 'c' : 'b'))
				fail_msg("byte %zu is another", got + i);
	}
	UNTIL(l, w.called);
	assert_false(w.failed);
	stream_close(s);
	close(other);
	free(big);
	free(in);
	loop_free(l);
}

static void peers(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct stream *a, *b;
	struct stream_peer peer;
	socket_streams(l, AF_UNIX, &a, &b);
	stream_peer(a, &peer);
	assert_int_equal(peer.uid, getuid());
	assert_int_equal(peer.cid, -1);
	assert_string_equal(stream_transport(a), "unix");
	stream_close(a);
	stream_close(b);
	socket_streams(l, AF_INET, &a, &b);
	stream_peer(b, &peer);
	assert_true(peer.loopback);
	assert_int_equal(peer.uid, -1);
	assert_memory_equal(peer.address, "127.0.0.1:", 10);
	assert_string_equal(stream_transport(b), "tcp");
	stream_close(a);
	stream_close(b);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_both_ways),
		cmocka_unit_test(never_from_inside),
		cmocka_unit_test(unread_and_cancel_lose_nothing),
		cmocka_unit_test(ends_are_per_direction),
		cmocka_unit_test(an_end_is_no_error),
		cmocka_unit_test(errors_stay),
		cmocka_unit_test(a_close_is_told_from_an_end),
		cmocka_unit_test(an_abort_is_no_end),
		cmocka_unit_test(spans),
		cmocka_unit_test(peers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

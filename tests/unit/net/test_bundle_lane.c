/* Strands that go over to a connection of their own: in any turn, whoever asks for it, however it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/bundle_impl.h"
#include "net/relay.h"
#include "support/bundle_pair.h"
#include "support/mem_stream.h"
#include "support/sockets.h"
#include "support/talker.h"
#include "support/until.h"

#define MUCH 200000

/* One strand, and both ends of what may become its lane. */
struct talk {
	struct bundle_pair t;
	struct talker here, there; /* of who dialled, of who accepted */
	struct stream *lane[2];	   /* likewise; owned until given */
};

static struct talk *talk_new(size_t capacity, size_t lane)
{
	struct talk *k = mem_zero(sizeof *k);
	bundle_pair_start(&k->t, capacity, 3);
	k->here.s = bundle_pair_open(&k->t, &k->there.s);
	if (lane == OVER_SOCKETS)
		socket_streams(k->t.loop, AF_UNIX, &k->lane[0], &k->lane[1]);
	else
		mem_pair(k->t.loop, lane, &k->lane[0], &k->lane[1]);
	return k;
}

static void talk_both(struct talk *k, uint64_t up, uint64_t down, size_t piece)
{
	talker_start(&k->here, k->here.s, 1, up, piece, 2);
	talker_start(&k->there, k->there.s, 2, down, piece, 1);
}

static bool give(struct talk *k, bool dialler)
{
	struct stream *lane = k->lane[!dialler];
	k->lane[!dialler] = NULL;
	return bundle_give_lane(dialler ? k->t.dials.bundle : k->t.accepts.bundle, 1, lane);
}

static void steps(struct talk *k, int n)
{
	while (n--)
		loop_step(k->t.loop, 0);
}

static bool is_over(const struct talker *t)
{
	return t->heard_end || t->read_failed;
}

static void assert_whole(struct talk *k, uint64_t up, uint64_t down)
{
	UNTIL(k->t.loop, is_over(&k->here) && is_over(&k->there) && k->here.said && k->there.said);
	assert_false(k->here.wrong || k->there.wrong);
	assert_false(k->here.send_failed || k->there.send_failed);
	assert_int_equal(k->there.got, up);
	assert_int_equal(k->here.got, down);
	assert_true(k->here.heard_end && k->there.heard_end);
}

static void talk_free(struct talk *k)
{
	talker_close(&k->here);
	talker_close(&k->there);
	if (k->t.dials.bundle && k->t.accepts.bundle)
		UNTIL(k->t.loop, !bundle_count(k->t.dials.bundle) && !bundle_count(k->t.accepts.bundle));
	stream_close(k->lane[0]);
	stream_close(k->lane[1]);
	bundle_pair_end(&k->t);
	free(k);
}

/* ---- asking ---- */

/* The one that dials is told, once, whoever sends; of little he is told nothing. */
static void bulk_asks_for_a_lane(void **state)
{
	(void)state;
	for (int n = 0; n < 4; n++) {
		uint64_t up = n == 1 || n == 3 ? MUCH : 30000, down = n >= 2 ? MUCH : 30000;
		struct talk *k = talk_new(4096, 4096);
		talk_both(k, up, down, sizeof k->here.out);
		assert_whole(k, up, down); /* nobody gives one: it goes on without */
		assert_int_equal(k->t.dials.asked, n ? 1 : 0);
		assert_int_equal(k->t.dials.bulk, n ? 1 : 0);
		talk_free(k);
	}
}

/* ---- going over ---- */

/* Both get it in any turn, one some turns before the other, with all, some or no bytes still to go. */
static void bytes_are_exact_over_the_switch(void **state)
{
	static const size_t lanes[] = {7, 4096, OVER_SOCKETS};
	(void)state;
	for (int n = 0; n < 360; n++) {
		struct talk *k = talk_new(n % 2 ? 300 : OVER_SOCKETS, lanes[n % 3]);
		uint64_t up = n & 4 ? 0 : 6000, down = n & 8 ? 9000 : 0;
		int first = n / 20, between = n % 5;
		talk_both(k, up, down, 1700);
		steps(k, first);
		assert_true(give(k, n & 1));
		steps(k, between);
		assert_true(give(k, !(n & 1)));
		assert_whole(k, up, down);
		assert_int_equal(k->t.dials.gone + k->t.accepts.gone, 0);
		talk_free(k);
	}
}

/* As it is meant: bulk, the question, and both ends of a new connection. What comes next costs the carrier nothing. */
static void bulk_goes_over(void **state)
{
	(void)state;
	for (int n = 0; n < 12; n++) {
		struct talk *k = talk_new(4096, n & 1 ? 4096 : OVER_SOCKETS);
		uint64_t up = n % 3 != 1 ? MUCH * 10 : 0, down = n % 3 != 0 ? MUCH * 10 : 0;
		talk_both(k, up, down, sizeof k->here.out);
		UNTIL(k->t.loop, k->t.dials.asked);
		assert_true(give(k, n & 2));
		steps(k, n);
		assert_true(give(k, !(n & 2)));
		assert_whole(k, up, down);
		assert_int_equal(k->t.dials.asked, 1);
		assert_true(mem_sent(k->t.dials.carrier) < 300000 && mem_sent(k->t.accepts.carrier) < 300000);
		talk_free(k);
	}
}

/* A side that does not read, before, over and behind the switch: what it did not ask for waits, on whichever way. */
static void one_side_is_slow(void **state)
{
	(void)state;
	for (int n = 0; n < 8; n++) {
		struct talk *k = talk_new(4096, n & 1 ? 4096 : OVER_SOCKETS);
		struct talker *reads = n & 2 ? &k->here : &k->there, *says = n & 2 ? &k->there : &k->here;
		talker_start(says, says->s, 1, MUCH * 5, 60000, 1);
		steps(k, 100);
		assert_true(give(k, n & 4));
		steps(k, 100);
		assert_true(give(k, !(n & 4)));
		steps(k, 100);
		assert_false(says->said);
		assert_true(loop_blocks(k->t.loop)->used <= 2);
		reads->hears = 1;
		talker_listen(reads);
		for (int i = 0; !reads->heard_end; i++) {
			assert_true(i < 20000 && !reads->read_failed);
			if (stream_reading(reads->s))
				stream_read_cancel(reads->s);
			steps(k, i % 3);
			talker_listen(reads);
			loop_step(k->t.loop, 0);
		}
		assert_int_equal(reads->got, MUCH * 5);
		assert_false(reads->wrong);
		talk_free(k);
	}
}

/* ---- ending ---- */

static void half_close_over_a_lane(void **state)
{
	(void)state;
	for (int n = 0; n < 8; n++) {
		struct talk *k = talk_new(300, n & 4 ? 300 : OVER_SOCKETS);
		struct talker *asks = n & 1 ? &k->here : &k->there, *answers = n & 1 ? &k->there : &k->here;
		*answers = (struct talker){.s = answers->s, .says = 3, .hears = 3, .piece = 1000};
		talker_listen(answers);
		talker_start(asks, asks->s, 3, 5000, 1000, 3);
		steps(k, n & 2 ? 3 : 0);
		assert_true(give(k, true) && give(k, false));
		UNTIL(k->t.loop, answers->heard_end);
		assert_int_equal(answers->got, 5000);
		assert_false(is_over(asks));
		talker_say(answers, 7000);
		UNTIL(k->t.loop, is_over(asks) && answers->said);
		assert_true(asks->heard_end);
		assert_int_equal(asks->got, 7000);
		talk_free(k);
	}
}

/*
 * Closed or broken off by either side in any turn before, during and after the switch, with bulk both ways or
 * one: the other side never takes a break for an end, and nothing is left.
 */
static void closed_in_any_turn(void **state)
{
	(void)state;
	for (int n = 0; n < 480; n++) {
		bool breaks = n & 1, dialler = n & 2, given_first = n & 8;
		struct talk *k = talk_new(n & 4 ? 4096 : OVER_SOCKETS, n & 4 ? OVER_SOCKETS : 4096);
		struct talker *goes = dialler ? &k->here : &k->there, *stays = dialler ? &k->there : &k->here;
		int at = n / 16;
		talk_both(k, n & 16 ? MUCH * 5 : 1, n & 32 ? MUCH * 5 : 1, 1000);
		goes->stays = stays->stays = true;
		steps(k, given_first ? 0 : at / 2);
		assert_true(give(k, true));
		steps(k, at % 4);
		assert_true(give(k, false));
		steps(k, given_first ? at : at / 2);
		(breaks ? stream_abort : stream_close)(goes->s);
		goes->s = NULL;
		UNTIL(k->t.loop, is_over(stays));
		assert_false(stays->wrong);
		assert_true(!breaks || stays->read_failed);
		/* A socket that is closed with bytes unread is reset: then a close is one, too. */
		assert_true(breaks || stays->heard_end || n & 4);
		if (stays->read_failed)
			assert_int_equal(stays->read_error.kind, ERR_RESET);
		talk_free(k);
	}
}

static void too_late_for_a_lane(void **state)
{
	(void)state;
	struct talk *k = talk_new(4096, 4096);
	struct stream *other;
	talk_both(k, 1000, 1000, 500);
	steps(k, 10);
	assert_true(give(k, true) && give(k, false));
	mem_pair(k->t.loop, 7, &k->lane[0], &k->lane[1]);
	assert_false(give(k, true)); /* it has one */
	assert_false(bundle_give_lane(k->t.dials.bundle, 2, k->lane[1]));
	assert_whole(k, 1000, 1000);
	talker_close(&k->here);
	mem_pair(k->t.loop, 7, &other, &k->lane[1]);
	assert_false(bundle_give_lane(k->t.dials.bundle, 1, other)); /* it is closed */
	talk_free(k);
}

/*
 * The lane is cut while bytes are on their way: no end is read, for the carrier did not tell one. What the sender finds
 * out when it writes makes it break off, and that is told.
 */
static void a_lane_that_breaks_is_no_end(void **state)
{
	(void)state;
	for (int n = 0; n < 8; n++) {
		bool up = n & 1;
		struct talk *k = talk_new(4096, 1000);
		struct talker *says = up ? &k->here : &k->there, *hears = up ? &k->there : &k->here;
		(n & 2 ? mem_fail : mem_cut)(k->lane[!up], n & 4 ? 0 : 5000);
		talk_both(k, up ? MUCH : 1, up ? 1 : MUCH, 9000);
		hears->stays = says->stays = true;
		assert_true(give(k, true) && give(k, false));
		steps(k, 200);
		assert_false(hears->heard_end);
		assert_int_equal(hears->read_failed, (n & 2) != 0);
		assert_int_equal(says->send_failed, (n & 2) != 0);
		stream_abort(says->s);
		says->s = NULL;
		UNTIL(k->t.loop, is_over(hears));
		assert_true(hears->read_failed && !hears->wrong);
		assert_int_equal(hears->read_error.kind, ERR_RESET);
		talk_free(k);
	}
}

/* The carrier goes while a lane is in use: an error for both, whatever the lane says. */
static void a_lane_without_its_carrier(void **state)
{
	(void)state;
	for (int n = 0; n < 60; n++) {
		struct talk *k = talk_new(4096, n & 1 ? 4096 : OVER_SOCKETS);
		talk_both(k, n & 2 ? MUCH * 10 : 1, n & 4 ? MUCH * 10 : 1, 5000);
		k->here.stays = k->there.stays = true;
		assert_true(give(k, true) && give(k, false));
		steps(k, n / 2);
		mem_cut(n & 8 ? k->t.dials.carrier : k->t.accepts.carrier, 0);
		UNTIL(k->t.loop, is_over(&k->here) && is_over(&k->there));
		assert_true(k->here.read_failed && k->there.read_failed);
		assert_int_equal(k->t.dials.gone + k->t.accepts.gone, 2);
		assert_false(k->here.wrong || k->there.wrong);
		talk_free(k);
	}
}

/* ---- spliced ---- */

static void on_block(void *arg, struct block *b, const struct error *err)
{
	assert_null(err);
	*(struct block **)arg = b;
}

/* Not before the strand has gone over, and not past bytes that were read and given back. */
static void the_lane_is_shown_when_it_is_all(void **state)
{
	(void)state;
	struct talk *k = talk_new(4096, OVER_SOCKETS);
	struct block *b = NULL;
	talker_start(&k->there, k->there.s, 2, 1000, 1000, 1);
	k->there.stays = true;
	steps(k, 20);
	struct stream *lane = k->lane[0];
	assert_true(give(k, true));
	steps(k, 20);
	assert_null(stream_through(k->here.s, STREAM_IN));
	assert_ptr_equal(stream_through(k->here.s, STREAM_OUT), lane);
	assert_true(give(k, false));
	steps(k, 20);
	assert_null(stream_through(k->here.s, STREAM_IN)); /* there is something from before */
	stream_read(k->here.s, on_block, &b);
	UNTIL(k->t.loop, b);
	assert_ptr_equal(stream_through(k->here.s, STREAM_IN), lane);
	stream_unread(k->here.s, b);
	assert_null(stream_through(k->here.s, STREAM_IN));
	k->here.hears = 2;
	talker_listen(&k->here);
	talker_say(&k->there, 2000);
	UNTIL(k->t.loop, k->here.got == 3000);
	assert_false(k->here.wrong);
	talk_free(k);
}

static void on_relay_over(void *arg, const struct relay_result *result)
{
	assert_null(result->err);
	*(bool *)arg = true;
}

/* client - relay - strand, strand - relay - service: bulk goes over, and through the kernel. */
static void relays_splice_a_lane(void **state)
{
	(void)state;
	for (int n = 1; n < 4; n++) {
		struct talk *k = talk_new(OVER_SOCKETS, OVER_SOCKETS);
		uint64_t up = n & 1 ? MUCH * 20 : 1000, down = n & 2 ? MUCH * 20 : 1000;
		struct splice_pool *pipes = splice_pool_new(4);
		struct relay_options options = {.idle_ms = 60000, .pipes = pipes};
		struct stream *client, *a, *service, *b;
		struct stream *in = k->here.s, *out = k->there.s;
		size_t before = pipes_open();
		bool over[2] = {false};
		socket_streams(k->t.loop, AF_UNIX, &client, &a);
		socket_streams(k->t.loop, AF_INET, &service, &b);
		relay_start(a, in, &options, on_relay_over, &over[0]);
		relay_start(out, b, &options, on_relay_over, &over[1]);
		k->here.s = client;
		k->there.s = service;
		talk_both(k, up, down, sizeof k->here.out);
		UNTIL(k->t.loop, k->t.dials.asked);
		assert_null(stream_through(in, STREAM_OUT));
		assert_true(give(k, true) && give(k, false));
		UNTIL(k->t.loop, over[0] && over[1]);
		assert_true(pipes_open() > before); /* the pool keeps them */
		assert_whole(k, up, down);
		talk_free(k);
		splice_pool_free(pipes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bulk_asks_for_a_lane),
		cmocka_unit_test(bytes_are_exact_over_the_switch),
		cmocka_unit_test(bulk_goes_over),
		cmocka_unit_test(one_side_is_slow),
		cmocka_unit_test(half_close_over_a_lane),
		cmocka_unit_test(closed_in_any_turn),
		cmocka_unit_test(too_late_for_a_lane),
		cmocka_unit_test(a_lane_that_breaks_is_no_end),
		cmocka_unit_test(a_lane_without_its_carrier),
		cmocka_unit_test(the_lane_is_shown_when_it_is_all),
		cmocka_unit_test(relays_splice_a_lane),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

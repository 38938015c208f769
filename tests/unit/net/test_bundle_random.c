/*
 * Conversations at random, the same in each run: strands opened, read from now and then, moved to lanes, half-closed, closed
 * and broken off by both sides of one bundle in any turn. Whoever was not broken off has all bytes and the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/bundle.h"
#include "support/bundle_pair.h"
#include "support/mem_stream.h"
#include "support/sockets.h"
#include "support/talker.h"
#include "support/until.h"

#define MOST  8
#define TALKS 40 /* in the life of a bundle */

struct talk {
	struct talker here, there;
	uint64_t up, down;
	uint32_t id;
	struct stream *lane; /* owned: of who accepted, not given yet */
	bool moved;
	bool cut; /* somebody did not wait for the end */
};

struct random {
	struct bundle_pair t;
	struct talk *talks[MOST];
	uint32_t seed;
	uint32_t opened;
	unsigned whole, moved, cut;
};

static uint32_t draw(struct random *r, uint32_t below)
{
	r->seed = r->seed * 1664525 + 1013904223;
	return (r->seed >> 8) % below;
}

static uint64_t amount(struct random *r)
{
	static const uint32_t most[] = {1, 100, 5000, 150000};
	return draw(r, most[draw(r, countof(most))]);
}

static void open_one(struct random *r, unsigned i)
{
	struct stream *there, *here = bundle_open(r->t.dials.bundle);
	if (!here)
		return;
	unsigned before = r->t.accepts.count = 0;
	UNTIL(r->t.loop, r->t.accepts.count > before);
	there = r->t.accepts.came[0];
	r->t.accepts.count = 0;
	struct talk *k = r->talks[i] = mem_zero(sizeof *k);
	k->id = ++r->opened;
	k->up = amount(r);
	k->down = amount(r);
	talker_start(&k->here, here, k->id, k->up, 1 + draw(r, 60000), k->id + 100);
	talker_start(&k->there, there, k->id + 100, k->down, 1 + draw(r, 60000), k->id);
}

static void move_one(struct random *r, struct talk *k)
{
	struct stream *near;
	if (k->lane) {
		bundle_give_lane(r->t.accepts.bundle, k->id, k->lane);
		k->lane = NULL;
	} else if (!k->moved) {
		if (draw(r, 2))
			socket_streams(r->t.loop, AF_UNIX, &near, &k->lane);
		else
			mem_pair(r->t.loop, 1 + draw(r, 5000), &near, &k->lane);
		k->moved = true;
		r->moved++;
		bundle_give_lane(r->t.dials.bundle, k->id, near);
	}
}

static bool is_over(const struct talker *t)
{
	return !t->s || t->read_failed || (t->heard_end && t->said);
}

/* The others' errors are nobody's fault but of who cut it. */
static void assert_fair(struct random *r, const struct talk *k)
{
	assert_false(k->here.wrong || k->there.wrong);
	if (k->cut)
		return;
	assert_false(k->here.read_failed || k->there.read_failed);
	assert_false(k->here.send_failed || k->there.send_failed);
	assert_int_equal(k->there.got, k->up);
	assert_int_equal(k->here.got, k->down);
	r->whole++;
}

static void end_one(struct random *r, unsigned i)
{
	struct talk *k = r->talks[i];
	assert_fair(r, k);
	talker_close(&k->here);
	talker_close(&k->there);
	stream_close(k->lane);
	free(k);
	r->talks[i] = NULL;
}

static void cut_one(struct random *r, struct talk *k)
{
	struct talker *goes = draw(r, 2) ? &k->here : &k->there;
	if (!goes->s)
		return;
	(draw(r, 2) ? stream_close : stream_abort)(goes->s);
	goes->s = NULL;
	k->cut = true;
	r->cut++;
}

static void pause_one(struct random *r, struct talk *k)
{
	struct talker *reads = draw(r, 2) ? &k->here : &k->there;
	if (!reads->s || reads->heard_end || reads->read_failed)
		return;
	if (stream_reading(reads->s))
		stream_read_cancel(reads->s);
	else
		talker_listen(reads);
}

static void act(struct random *r)
{
	unsigned i = draw(r, MOST), what = draw(r, 40);
	struct talk *k = r->talks[i];
	if (!k) {
		if (r->opened < TALKS)
			open_one(r, i);
	} else if (what == 0) {
		cut_one(r, k);
	} else if (what < 5) {
		move_one(r, k);
	} else if (what < 15) {
		pause_one(r, k);
	}
}

/* All that wait go on, and come to their ends. */
static void finish(struct random *r)
{
	for (unsigned i = 0; i < MOST; i++) {
		struct talk *k = r->talks[i];
		if (!k)
			continue;
		if (k->lane)
			move_one(r, k);
		struct talker *both[] = {&k->here, &k->there};
		for (int n = 0; n < 2; n++)
			if (both[n]->s && !both[n]->heard_end && !both[n]->read_failed &&
			    !stream_reading(both[n]->s))
				talker_listen(both[n]);
		UNTIL(r->t.loop, is_over(&k->here) && is_over(&k->there));
		end_one(r, i);
	}
}

static void whoever_waits_has_it_all(void **state)
{
	static const size_t carriers[] = {300, 4096, 70000, OVER_SOCKETS};
	unsigned whole = 0, moved = 0, cut = 0;
	(void)state;
	for (uint32_t seed = 1; seed <= 40; seed++) {
		struct random r = {.seed = seed * 7919};
		bundle_pair_start(&r.t, carriers[seed % countof(carriers)], MOST);
		for (int turn = 0; turn < 1500; turn++) {
			act(&r);
			if (draw(&r, 3) == 0)
				loop_step(r.t.loop, 0);
			unsigned i = draw(&r, MOST);
			if (r.talks[i] && is_over(&r.talks[i]->here) && is_over(&r.talks[i]->there))
				end_one(&r, i);
		}
		finish(&r);
		assert_int_equal(r.t.dials.gone + r.t.accepts.gone, 0);
		bundle_leave(seed & 1 ? r.t.dials.bundle : r.t.accepts.bundle);
		UNTIL(r.t.loop, r.t.dials.gone && r.t.accepts.gone);
		assert_false(r.t.dials.failed || r.t.accepts.failed);
		bundle_pair_end(&r.t);
		whole += r.whole;
		moved += r.moved;
		cut += r.cut;
	}
	assert_true(whole > 100 && moved > 100 && cut > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(whoever_waits_has_it_all)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Connections that say they are the lane of a strand: bulk moves to one, and those that belong nowhere are refused.
 * How a strand moves is net/test_bundle_lane.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/sockets.h"
#include "support/talker.h"
#include "support/trunk_world.h"
#include "support/until.h"
#include "support/wire.h"

#define BULK 1000000

static void moved(enum trunk_wire wire, uint64_t up_bytes, uint64_t down_bytes)
{
	struct trunk_world w;
	struct talker here, there;
	trunk_world_start(&w, wire, 64);
	trunk_world_strand(&w);
	talker_start(&here, w.mine[0], 1, up_bytes, 50000, 2);
	talker_start(&there, w.theirs[0], 2, down_bytes, 50000, 1);
	w.mine[0] = w.theirs[0] = NULL;
	UNTIL(w.loop, here.heard_end && there.heard_end);
	assert_false(here.wrong || there.wrong || here.send_failed || there.send_failed);
	assert_int_equal(here.got, down_bytes);
	assert_int_equal(there.got, up_bytes);
	assert_int_equal(w.stats.lanes, 1);
	assert_int_equal(w.dialled, 2);
	assert_int_equal(w.told.strand, 1);
	talker_close(&here);
	talker_close(&there);
	trunk_world_finish(&w);
}

static void lanes(void **state)
{
	(void)state;
	moved(TRUNK_FRAMES, BULK, 10);
	moved(TRUNK_FRAMES, 10, BULK);
	moved(TRUNK_TUNNEL, BULK, BULK);
}

/* Which worker a lane comes to is chance: it finds its trunk from each. */
static void other_worker(void **state)
{
	(void)state;
	for (enum trunk_wire wire = TRUNK_FRAMES; wire <= TRUNK_TUNNEL; wire++) {
		struct trunk_world w;
		struct talker here[4], there[4];
		trunk_world_start_two(&w, wire, 200);
		UNTIL(w.loop, w.stats.up == 2); /* one to each */
		assert_int_equal(crew_figures(w.crew)->connections, 1);
		assert_int_equal(crew_figures(&w.second_crew)->connections, 1);
		unsigned promised[2] = {trunk_server_promised(w.server), trunk_server_promised(w.second)};
		for (unsigned i = 0; i < 4; i++) {
			assert_non_null(trunk_world_open(&w));
			UNTIL(w.loop, w.accepted == i + 1);
		}
		/* They are opened where the fewest are: two each. */
		assert_int_equal(trunk_server_promised(w.server), promised[0] - 2);
		assert_int_equal(trunk_server_promised(w.second), promised[1] - 2);
		for (uint64_t i = 0; i < 4; i++) {
			talker_start(&here[i], w.mine[i], 2 * i, BULK, 50000, 2 * i + 1);
			talker_start(&there[i], w.theirs[i], 2 * i + 1, BULK, 50000, 2 * i);
			w.mine[i] = w.theirs[i] = NULL;
			UNTIL(w.loop, w.stats.lanes == i + 1);
		}
		for (unsigned i = 0; i < 4; i++) {
			UNTIL(w.loop, here[i].heard_end && there[i].heard_end);
			assert_false(here[i].wrong || there[i].wrong || here[i].send_failed);
			assert_int_equal(here[i].got, BULK);
			assert_int_equal(there[i].got, BULK);
			talker_close(&here[i]);
			talker_close(&there[i]);
		}
		assert_int_equal(w.stats.lanes, 4);
		assert_int_equal(w.dialled, 2 + 4);
		trunk_client_free(w.client);
		w.client = NULL;
		UNTIL(w.loop, crew_figures(w.crew)->connections == 0 &&
				      crew_figures(&w.second_crew)->connections == 0);
		trunk_world_finish(&w);
	}
}

/* One for a trunk that nobody has opened is refused; the strand that it was for is not touched. */
static void strange_lane_of(unsigned workers)
{
	struct trunk_world w;
	struct wire other;
	struct stream *a, *b;
	if (workers == 2)
		trunk_world_start_two(&w, TRUNK_FRAMES, 64);
	else
		trunk_world_start(&w, TRUNK_FRAMES, 64);
	trunk_world_strand(&w);
	struct trunk_hello hello = {.key = {w.told.key[0], w.told.key[1] ^ 1}, .strand = 1};
	for (int i = 0; i < 2; i++) {
		socket_streams(w.loop, AF_UNIX, &a, &b);
		wire_start(&other, a, 10);
		trunk_server_take(w.server, b, &hello);
		UNTIL(w.loop, other.heard_end);
		assert_int_equal(wire_heard(&other, "no trunk with that key"), i == 0);
		wire_free(&other);
		hello = (struct trunk_hello){.key = {w.told.key[0], w.told.key[1]},
					     .strand = 7}; /* no such strand */
	}
	wire_start(&other, w.mine[0], 10);
	w.mine[0] = NULL;
	struct wire far;
	wire_start(&far, w.theirs[0], 10);
	w.theirs[0] = NULL;
	wire_say(&other, "still there");
	UNTIL(w.loop, wire_heard(&far, "still there"));
	wire_free(&other);
	wire_free(&far);
	trunk_world_finish(&w);
}

static void strange_lane(void **state)
{
	(void)state;
	strange_lane_of(1);
	strange_lane_of(2); /* it goes all the way round */
}

/* A strand that says it is the lane of itself, or a trunk, is told that it is none. */
static void nested(void **state)
{
	(void)state;
	for (uint32_t lane = 0; lane < 2; lane++) {
		struct trunk_world w;
		struct wire here;
		trunk_world_start(&w, TRUNK_FRAMES, 200);
		trunk_world_strand(&w);
		struct trunk_hello hello = {.key = {w.told.key[0], w.told.key[1] + !lane}, .strand = lane};
		trunk_server_take(w.server, w.theirs[0], &hello);
		w.theirs[0] = NULL;
		wire_start(&here, w.mine[0], 10);
		w.mine[0] = NULL;
		UNTIL(w.loop, here.heard_end);
		assert_true(wire_heard(&here, "a strand is neither"));
		wire_free(&here);
		UNTIL(w.loop, trunk_server_promised(w.server) == 100);
		trunk_world_finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes),
		cmocka_unit_test(other_worker),
		cmocka_unit_test(strange_lane),
		cmocka_unit_test(nested),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

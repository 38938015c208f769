/*
 * Trunks that end: lost, drained, doubted, or freed with their owner. What a bundle does when it ends is
 * net/test_bundle_end.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/talker.h"
#include "support/trunk_world.h"
#include "support/until.h"
#include "support/wire.h"

static void lost(void **state)
{
	(void)state;
	struct trunk_world w;
	struct wire here;
	trunk_world_start(&w, TRUNK_FRAMES, 64);
	trunk_world_strand(&w);
	wire_start(&here, w.mine[0], 100);
	w.mine[0] = NULL;
	stream_close(w.theirs[0]);
	w.theirs[0] = NULL;
	trunk_server_free(w.server);
	trunk_world_serve(&w, 64);
	UNTIL(w.loop, here.heard_end && w.stats.lost + w.stats.up == 1);
	wire_free(&here);
	trunk_world_wait(&w, SOON_S);
	trunk_world_up(&w);
	assert_non_null(trunk_world_open(&w));
	trunk_world_finish(&w);
}

/* A server that drains lets what runs go on, and takes nothing new. */
static void drained(void **state)
{
	(void)state;
	struct trunk_world w;
	struct talker here, there;
	trunk_world_start(&w, TRUNK_TUNNEL, 64);
	trunk_world_strand(&w);
	trunk_world_stop_listening(&w);
	trunk_server_drain(w.server);
	UNTIL(w.loop, !trunk_world_open(&w));
	talker_start(&here, w.mine[0], 1, 90000, 4000, 2);
	talker_start(&there, w.theirs[0], 2, 90000, 4000, 1);
	UNTIL(w.loop, here.heard_end && there.heard_end);
	assert_false(here.wrong || there.wrong || here.send_failed || there.send_failed);
	assert_true(trunk_server_busy(w.server));
	w.mine[0] = w.theirs[0] = NULL;
	talker_close(&here);
	talker_close(&there);
	for (unsigned i = 1; i < w.opened; i++) { /* opened before it was known */
		stream_close(w.mine[i]);
		w.mine[i] = NULL;
	}
	UNTIL(w.loop, !trunk_server_busy(w.server) && w.stats.up == 0);
	assert_int_equal(w.stats.lost, 0);
	trunk_world_finish(&w);
}

/* Something went unanswered: new strands go to a new trunk, those that there are stay. */
static void doubted(void **state)
{
	(void)state;
	struct trunk_world w;
	trunk_world_start(&w, TRUNK_FRAMES, 200);
	trunk_world_strand(&w);
	trunk_client_doubt(w.client, NULL);
	trunk_client_doubt(NULL, w.mine[0]);
	trunk_client_doubt(w.client, w.theirs[0]); /* it goes over another end */
	assert_false(trunk_client_outdates(w.client, w.mine[0]));
	trunk_client_doubt(w.client, w.mine[0]);
	assert_true(trunk_client_outdates(w.client, w.mine[0]));
	assert_null(trunk_world_open(&w));
	trunk_world_wait(&w, SOON_S);
	UNTIL(w.loop, w.stats.up == 2);
	assert_non_null(trunk_world_open(&w));
	UNTIL(w.loop, w.accepted == 2 && w.dialled == 2);
	stream_close(w.mine[0]);
	stream_close(w.theirs[0]);
	w.mine[0] = w.theirs[0] = NULL;
	UNTIL(w.loop, w.stats.up == 1);
	trunk_world_finish(&w);
}

/* Nothing here may outlive its owner, whatever it is in the middle of. */
static void freed_at_every_turn(void **state)
{
	(void)state;
	for (int turns = 0; turns < 30; turns++) {
		struct trunk_world w;
		trunk_world_start(&w, turns % 2 ? TRUNK_FRAMES : TRUNK_TUNNEL, 64);
		for (int i = 0; i < turns; i++) {
			loop_step(w.loop, 1);
			trunk_world_open(&w);
		}
		if (turns % 3 == 0) {
			trunk_client_free(w.client);
			w.client = NULL;
		} else if (turns % 3 == 1) {
			trunk_server_free(w.server);
			w.server = NULL;
			w.mute = true;
		}
		for (int i = 0; i < 5; i++)
			loop_step(w.loop, 1);
		trunk_world_finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lost),
		cmocka_unit_test(drained),
		cmocka_unit_test(doubted),
		cmocka_unit_test(freed_at_every_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

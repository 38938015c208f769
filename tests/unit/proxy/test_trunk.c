/* Trunks over a unix socket: who dials, who accepts, how many strands are promised, and who says no or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/sockets.h"
#include "support/talker.h"
#include "support/trunk_world.h"
#include "support/until.h"

/* ---- opening ---- */

static void strands_are_opened(enum trunk_wire wire)
{
	struct trunk_world w;
	struct talker here, there;
	trunk_world_start(&w, wire, 200);
	assert_null(trunk_world_open(&w)); /* it is being dialled, and nobody waits for it */
	trunk_world_up(&w);
	assert_int_equal(trunk_server_promised(w.server), 100);
	assert_non_null(trunk_world_open(&w));
	UNTIL(w.loop, w.accepted == 1);
	assert_int_equal(trunk_server_promised(w.server), 99);
	talker_start(&here, w.mine[0], 1, 5000, 700, 2);
	talker_start(&there, w.theirs[0], 2, 3000, 500, 1);
	UNTIL(w.loop, here.heard_end && there.heard_end);
	assert_false(here.wrong || there.wrong);
	assert_int_equal(here.got, 3000);
	assert_int_equal(there.got, 5000);
	w.mine[0] = w.theirs[0] = NULL;
	talker_close(&here);
	talker_close(&there);
	UNTIL(w.loop, trunk_server_promised(w.server) == 100);
	assert_int_equal(w.dialled, 1);
	trunk_world_finish(&w);
}

static void opened(void **state)
{
	(void)state;
	strands_are_opened(TRUNK_FRAMES);
	strands_are_opened(TRUNK_TUNNEL);
}

/* A promise is kept, and no more is promised; who comes second gets half of what is left. */
static void promises(void **state)
{
	(void)state;
	struct trunk_world w;
	struct trunk_stats second = {0};
	trunk_world_start(&w, TRUNK_FRAMES, 2 * 32);
	trunk_world_up(&w);
	for (unsigned i = 0; i < 32; i++)
		assert_non_null(trunk_world_open(&w));
	assert_null(trunk_world_open(&w));
	UNTIL(w.loop, w.accepted == 32);
	assert_int_equal(trunk_server_promised(w.server), 0);
	struct trunk_client_config config = {
		.to = w.at, .wire = w.wire, .connect_ms = 5000, .workers = 1, .stats = &second};
	struct trunk_client *other = trunk_client_new(w.loop, &config);
	UNTIL(w.loop, second.up == 1);
	assert_int_equal(trunk_server_promised(w.server), 16);
	trunk_client_free(other);
	UNTIL(w.loop, trunk_server_promised(w.server) == 0);
	assert_int_equal(trunk_server_promised(w.server), 0);
	stream_close(w.mine[3]);
	w.mine[3] = NULL;
	stream_close(w.theirs[3]);
	w.theirs[3] = NULL;
	UNTIL(w.loop, trunk_world_open(&w)); /* once both sides know that it is closed */
	UNTIL(w.loop, w.accepted == 33);
	trunk_world_finish(&w);
}

/* Whoever was dialled before the trunk was there is to be let go, strands are not. */
static void outdated(void **state)
{
	(void)state;
	struct trunk_world w;
	struct stream *a, *b;
	trunk_world_start(&w, TRUNK_TUNNEL, 64);
	socket_streams(w.loop, AF_UNIX, &a, &b);
	assert_false(trunk_client_outdates(w.client, a));
	assert_false(trunk_client_outdates(NULL, a));
	trunk_world_up(&w);
	assert_true(trunk_client_outdates(w.client, a));
	assert_false(trunk_client_outdates(w.client, trunk_world_open(&w)));
	while (trunk_world_open(&w))
		;
	assert_false(trunk_client_outdates(w.client, a)); /* its successor would be dialled, too */
	stream_close(a);
	stream_close(b);
	trunk_world_finish(&w);
}

/* ---- no, and not yet ---- */

static void refused(void **state)
{
	(void)state;
	for (enum trunk_wire wire = TRUNK_FRAMES; wire <= TRUNK_TUNNEL; wire++) {
		struct trunk_world w;
		trunk_world_start(&w, wire, 0);
		UNTIL(w.loop, w.dialled == 1 && !w.hello);
		trunk_world_wait(&w, SOON_S);
		assert_int_equal(w.dialled, 1); /* who does not want to is not asked again soon.. */
		assert_null(trunk_world_open(&w));
		trunk_server_free(w.server);
		trunk_world_serve(&w, 64);
		trunk_world_wait(&w, REFUSED_S); /* ..but again */
		trunk_world_up(&w);
		assert_non_null(trunk_world_open(&w));
		trunk_world_finish(&w);
	}
}

static void nobody_there(void **state)
{
	(void)state;
	struct trunk_world w;
	trunk_world_start(&w, TRUNK_FRAMES, 64);
	trunk_world_stop_listening(&w); /* before the first turn */
	UNTIL(w.loop, w.dialled == 0);
	for (int i = 0; i < 10; i++)
		trunk_world_wait(&w, 1);
	assert_int_equal(w.stats.up, 0);
	trunk_world_listen(&w);
	trunk_world_wait(&w, SOON_S);
	trunk_world_up(&w);
	trunk_world_finish(&w);
}

/* One that accepts and says nothing costs nobody anything. */
static void silent(void **state)
{
	(void)state;
	struct trunk_world w;
	trunk_world_start(&w, TRUNK_TUNNEL, 64);
	w.mute = true;
	UNTIL(w.loop, w.hello && w.told.key[0]);
	assert_null(trunk_world_open(&w));
	trunk_world_wait(&w, SOON_S);
	assert_int_equal(w.stats.up, 0);
	stream_close(w.hello);
	w.hello = NULL;
	w.mute = false;
	trunk_world_wait(&w, SOON_S);
	trunk_world_up(&w);
	trunk_world_finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened),  cmocka_unit_test(promises),	   cmocka_unit_test(outdated),
		cmocka_unit_test(refused), cmocka_unit_test(nobody_there), cmocka_unit_test(silent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

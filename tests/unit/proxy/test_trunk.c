/* Trunks are there, or not, or not yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/sockets.h"
#include "support/talker.h"
#include "support/trunk_pair.h"
#include "support/until.h"

/* ---- opening ---- */

static void strands_are_opened(enum trunk_wire wire)
{
	struct trunk_pair w;
	struct talker here, there;
	trunk_pair_start(&w, wire, 200);
	assert_null(trunk_pair_open(&w)); /* it is being dialled, and nobody waits for it */
	trunk_pair_up(&w);
	assert_int_equal(trunk_server_promised(w.server), 100);
	assert_non_null(trunk_pair_open(&w));
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
	trunk_pair_end(&w);
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
	struct trunk_pair w;
	struct trunk_stats second = {0};
	trunk_pair_start(&w, TRUNK_FRAMES, 2 * 32);
	trunk_pair_up(&w);
	for (unsigned i = 0; i < 32; i++)
		assert_non_null(trunk_pair_open(&w));
	assert_null(trunk_pair_open(&w));
	UNTIL(w.loop, w.accepted == 32);
	assert_int_equal(trunk_server_promised(w.server), 0);
	struct trunk_client_config config = {
		.to = w.at, .wire = w.wire, .connect_ms = 5000, .stats = &second};
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
	UNTIL(w.loop, trunk_pair_open(&w)); /* once both sides know that it is closed */
	UNTIL(w.loop, w.accepted == 33);
	trunk_pair_end(&w);
}

/* Whoever was dialled before the trunk was there is to be let go, strands are not. */
static void outdated(void **state)
{
	(void)state;
	struct trunk_pair w;
	struct stream *a, *b;
	trunk_pair_start(&w, TRUNK_TUNNEL, 64);
	socket_streams(w.loop, AF_UNIX, &a, &b);
	assert_false(trunk_client_outdates(w.client, a));
	assert_false(trunk_client_outdates(NULL, a));
	trunk_pair_up(&w);
	assert_true(trunk_client_outdates(w.client, a));
	assert_false(trunk_client_outdates(w.client, trunk_pair_open(&w)));
	while (trunk_pair_open(&w))
		;
	assert_false(trunk_client_outdates(w.client, a)); /* its successor would be dialled, too */
	stream_close(a);
	stream_close(b);
	trunk_pair_end(&w);
}

/* ---- no, and not yet ---- */

static void refused(void **state)
{
	(void)state;
	for (enum trunk_wire wire = TRUNK_FRAMES; wire <= TRUNK_TUNNEL; wire++) {
		struct trunk_pair w;
		trunk_pair_start(&w, wire, 0);
		UNTIL(w.loop, w.dialled == 1 && !w.hello);
		trunk_pair_wait_s(&w, TRUNK_SOON_S);
		assert_int_equal(w.dialled, 1); /* who does not want to is not asked again soon.. */
		assert_null(trunk_pair_open(&w));
		trunk_server_free(w.server);
		trunk_pair_serve(&w, 64);
		trunk_pair_wait_s(&w, TRUNK_REFUSED_S); /* ..but again */
		trunk_pair_up(&w);
		assert_non_null(trunk_pair_open(&w));
		trunk_pair_end(&w);
	}
}

static void nobody_there(void **state)
{
	(void)state;
	struct trunk_pair w;
	trunk_pair_start(&w, TRUNK_FRAMES, 64);
	trunk_pair_stop_listening(&w); /* before the first turn */
	UNTIL(w.loop, w.dialled == 0);
	for (int i = 0; i < 10; i++)
		trunk_pair_wait_s(&w, 1);
	assert_int_equal(w.stats.up, 0);
	trunk_pair_listen(&w);
	trunk_pair_wait_s(&w, TRUNK_SOON_S);
	trunk_pair_up(&w);
	trunk_pair_end(&w);
}

/* One that accepts and says nothing costs nobody anything. */
static void silent(void **state)
{
	(void)state;
	struct trunk_pair w;
	trunk_pair_start(&w, TRUNK_TUNNEL, 64);
	w.mute = true;
	UNTIL(w.loop, w.hello && w.told.key[0]);
	assert_null(trunk_pair_open(&w));
	trunk_pair_wait_s(&w, TRUNK_SOON_S);
	assert_int_equal(w.stats.up, 0);
	stream_close(w.hello);
	w.hello = NULL;
	w.mute = false;
	trunk_pair_wait_s(&w, TRUNK_SOON_S);
	trunk_pair_up(&w);
	trunk_pair_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opened),  cmocka_unit_test(promises),	   cmocka_unit_test(outdated),
		cmocka_unit_test(refused), cmocka_unit_test(nobody_there), cmocka_unit_test(silent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

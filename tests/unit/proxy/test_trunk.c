/*
 * Trunks over a unix socket: who dials, who accepts, and what they say to each other in both languages. What a bundle
 * does once it is there is net/test_bundle.c's. The clock is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "net/bundle.h"
#include "net/listener.h"
#include "proxy/trunk_client.h"
#include "proxy/trunk_server.h"
#include "support/sockets.h"
#include "support/talker.h"
#include "support/until.h"
#include "support/wire.h"

#define STRANDS	  64
#define SOON_S	  6  /* longer than any pause but the one behind a refusal */
#define REFUSED_S 31 /* than that */
#define BULK	  1000000

static time_t later; /* seconds that the clock was put forward */

int clock_gettime(clockid_t id, struct timespec *t)
{
	int failed = (int)syscall(SYS_clock_gettime, id, t);
	t->tv_sec += later;
	return failed;
}

/* client =unix=> [listener; reads the hello] server */
struct world {
	struct loop *loop;
	enum trunk_wire wire;
	char directory[32], path[64];
	struct address at;
	struct listener *listener;
	struct trunk_client *client;
	struct trunk_server *server;
	struct trunk_stats stats;
	unsigned most; /* connections that the server allows */
	unsigned dialled, promises;
	struct stream *hello; /* of a connection whose hello is being read */
	struct tunnel_request request;
	struct trunk_hello told;      /* the last one */
	bool mute;		      /* hellos are not passed on to the server */
	struct stream *mine[STRANDS]; /* strands, by who opened them.. */
	struct stream *theirs[STRANDS];
	unsigned opened, accepted;
};

static void on_strand(void *owner, struct stream *s)
{
	struct world *w = owner;
	assert_true(w->accepted < STRANDS);
	w->theirs[w->accepted++] = s;
}

static unsigned room(void *owner)
{
	const struct world *w = owner;
	unsigned taken = w->accepted + trunk_server_promised(w->server);
	return w->most > taken ? w->most - taken : 0;
}

static void on_promise(void *owner)
{
	((struct world *)owner)->promises++;
}

static void on_hello(void *arg, struct block *b, const struct error *err)
{
	struct world *w = arg;
	struct stream *s = w->hello;
	assert_null(err);
	if (!b) { /* given up before it was whole */
		stream_close(s);
		w->hello = NULL;
		return;
	}
	if (w->wire == TRUNK_FRAMES) {
		assert_int_equal(b->len, FRAME_HEADER + FRAME_TRUNK_HELLO);
		assert_int_equal(b->data[4], FRAME_TRUNK);
		block_take(b, FRAME_HEADER);
		trunk_hello_read(block_span(b), &w->told);
	} else {
		tunnel_request_init(&w->request);
		assert_int_equal(tunnel_request_feed(&w->request, b, NULL), TUNNEL_REQUEST_TRUNK);
		w->told = w->request.trunk;
		tunnel_request_free(&w->request);
	}
	block_put(b);
	if (w->mute)
		return;
	w->hello = NULL;
	trunk_server_take(w->server, s, &w->told);
}

static void on_accept(void *arg, struct stream *s)
{
	struct world *w = arg;
	w->dialled++;
	assert_null(w->hello);
	w->hello = s;
	stream_read(s, on_hello, w);
}

static void serve(struct world *w, unsigned most)
{
	w->most = most;
	struct trunk_server_config config = {.wire = w->wire,
					     .room = most ? room : NULL,
					     .answer_ms = 5000,
					     .on_strand = on_strand,
					     .on_promise = on_promise,
					     .owner = w};
	w->server = trunk_server_new(w->loop, &config);
}

static void listen_there(struct world *w)
{
	w->listener = listener_start(w->loop, &w->at, on_accept, w, NULL);
	assert_non_null(w->listener);
}

static void start(struct world *w, enum trunk_wire wire, unsigned most)
{
	*w = (struct world){.wire = wire, .directory = "/tmp/np-trunk-XXXXXX"};
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof w->path, "unix:%s/s", w->directory);
	assert_true(address_parse(w->path, &w->at, NULL));
	w->loop = loop_new();
	serve(w, most);
	listen_there(w);
	struct trunk_client_config config = {
		.to = w->at, .wire = wire, .connect_ms = 5000, .stats = &w->stats};
	w->client = trunk_client_new(w->loop, &config);
}

static void stop_listening(struct world *w)
{
	if (w->listener)
		listener_stop(w->listener);
	w->listener = NULL;
	unlink(w->path + strlen("unix:"));
}

static void finish(struct world *w)
{
	for (unsigned i = 0; i < STRANDS; i++) {
		stream_close(w->mine[i]);
		stream_close(w->theirs[i]);
	}
	stream_close(w->hello);
	trunk_client_free(w->client);
	trunk_server_free(w->server);
	stop_listening(w);
	rmdir(w->directory);
	loop_free(w->loop);
	later = 0;
}

static void up(struct world *w)
{
	UNTIL(w->loop, w->stats.up == 1);
}

static struct stream *open_one(struct world *w)
{
	struct stream *s = trunk_client_open(w->client);
	if (s)
		w->mine[w->opened++] = s;
	return s;
}

/* Puts the clock forward and lets what is due happen. */
static void wait_s(struct world *w, unsigned seconds)
{
	later += seconds;
	for (int i = 0; i < 20; i++)
		loop_step(w->loop, 1);
}

/* ---- messages ---- */

static void feed_in_pieces(enum trunk_wire wire, struct span text, size_t piece,
			   enum trunk_answer_result result, uint32_t strands)
{
	struct block_pool pool;
	struct trunk_answer a;
	struct error err = {0};
	block_pool_init(&pool, 1);
	trunk_answer_init(&a, wire);
	enum trunk_answer_result got = TRUNK_ANSWER_MORE;
	for (size_t at = 0; at < text.n && got == TRUNK_ANSWER_MORE; at += piece) {
		struct block *b = block_get(&pool);
		b->len = text.n - at < piece ? text.n - at : piece;
		memcpy(b->data, text.p + at, b->len);
		got = trunk_answer_feed(&a, b, &err);
		if (got == TRUNK_ANSWER_MORE)
			assert_int_equal(b->len, 0);
		block_put(b);
	}
	assert_int_equal(got, result);
	assert_int_equal(result == TRUNK_ANSWER_OK ? a.strands : 0, strands);
	assert_int_equal(result == TRUNK_ANSWER_REFUSED, err.kind != ERR_NONE);
	trunk_answer_free(&a);
	block_pool_free(&pool);
}

static void answers(void **state)
{
	(void)state;
	struct error no;
	error_set_hop(&no, ERR_LIMIT, HOP_TUNNEL, "no trunk here");
	for (enum trunk_wire wire = TRUNK_FRAMES; wire <= TRUNK_TUNNEL; wire++)
		for (size_t piece = 1; piece < 70; piece++) {
			struct buf text;
			buf_init(&text, 1024);
			trunk_answer_write(&text, wire, 4711);
			feed_in_pieces(wire, buf_span(&text), piece, TRUNK_ANSWER_OK, 4711);
			buf_clear(&text);
			trunk_refusal_write(&text, wire, &no);
			feed_in_pieces(wire, buf_span(&text), piece, TRUNK_ANSWER_REFUSED, 0);
			buf_free(&text);
		}
	static const char *const bad[] = {
		"\0\0\0\5\1", "\0\0\0\4\16", "\0\0\0\24\15", "\xff\xff\xff\xff\15", "HTTP/1.1 400",
	};
	for (size_t i = 0; i < countof(bad); i++)
		feed_in_pieces(TRUNK_FRAMES, (struct span){bad[i], i == 4 ? 12 : 5}, 1, TRUNK_ANSWER_REFUSED,
			       0);
}

/* ---- opening ---- */

static void strands_are_opened(enum trunk_wire wire)
{
	struct world w;
	struct talker here, there;
	start(&w, wire, 200);
	assert_null(open_one(&w)); /* it is being dialled, and nobody waits for it */
	up(&w);
	assert_int_equal(trunk_server_promised(w.server), 100);
	assert_non_null(open_one(&w));
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
	finish(&w);
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
	struct world w;
	struct trunk_stats second = {0};
	start(&w, TRUNK_FRAMES, 2 * 32);
	up(&w);
	for (unsigned i = 0; i < 32; i++)
		assert_non_null(open_one(&w));
	assert_null(open_one(&w));
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
	UNTIL(w.loop, open_one(&w)); /* once both sides know that it is closed */
	UNTIL(w.loop, w.accepted == 33);
	finish(&w);
}

/* Whoever was dialled before the trunk was there is to be let go, strands are not. */
static void outdated(void **state)
{
	(void)state;
	struct world w;
	struct stream *a, *b;
	start(&w, TRUNK_TUNNEL, 64);
	socket_streams(w.loop, AF_UNIX, &a, &b);
	assert_false(trunk_client_outdates(w.client, a));
	assert_false(trunk_client_outdates(NULL, a));
	up(&w);
	assert_true(trunk_client_outdates(w.client, a));
	assert_false(trunk_client_outdates(w.client, open_one(&w)));
	while (open_one(&w))
		;
	assert_false(trunk_client_outdates(w.client, a)); /* its successor would be dialled, too */
	stream_close(a);
	stream_close(b);
	finish(&w);
}

/* ---- no, and not yet ---- */

static void refused(void **state)
{
	(void)state;
	for (enum trunk_wire wire = TRUNK_FRAMES; wire <= TRUNK_TUNNEL; wire++) {
		struct world w;
		start(&w, wire, 0);
		UNTIL(w.loop, w.dialled == 1 && !w.hello);
		wait_s(&w, SOON_S);
		assert_int_equal(w.dialled, 1); /* who does not want to is not asked again soon.. */
		assert_null(open_one(&w));
		trunk_server_free(w.server);
		serve(&w, 64);
		wait_s(&w, REFUSED_S); /* ..but again */
		up(&w);
		assert_non_null(open_one(&w));
		finish(&w);
	}
}

static void nobody_there(void **state)
{
	(void)state;
	struct world w;
	start(&w, TRUNK_FRAMES, 64);
	stop_listening(&w); /* before the first turn */
	UNTIL(w.loop, w.dialled == 0);
	for (int i = 0; i < 10; i++)
		wait_s(&w, 1);
	assert_int_equal(w.stats.up, 0);
	listen_there(&w);
	wait_s(&w, SOON_S);
	up(&w);
	finish(&w);
}

/* One that accepts and says nothing costs nobody anything. */
static void silent(void **state)
{
	(void)state;
	struct world w;
	start(&w, TRUNK_TUNNEL, 64);
	w.mute = true;
	UNTIL(w.loop, w.hello && w.told.key[0]);
	assert_null(open_one(&w));
	wait_s(&w, SOON_S);
	assert_int_equal(w.stats.up, 0);
	stream_close(w.hello);
	w.hello = NULL;
	w.mute = false;
	wait_s(&w, SOON_S);
	up(&w);
	finish(&w);
}

/* ---- the end of a trunk ---- */

static void lost(void **state)
{
	(void)state;
	struct world w;
	struct wire here;
	start(&w, TRUNK_FRAMES, 64);
	up(&w);
	open_one(&w);
	UNTIL(w.loop, w.accepted == 1);
	wire_start(&here, w.mine[0], 100);
	w.mine[0] = NULL;
	stream_close(w.theirs[0]);
	w.theirs[0] = NULL;
	trunk_server_free(w.server);
	serve(&w, 64);
	UNTIL(w.loop, here.heard_end && w.stats.lost + w.stats.up == 1);
	wire_free(&here);
	wait_s(&w, SOON_S);
	up(&w);
	assert_non_null(open_one(&w));
	finish(&w);
}

/* A server that drains lets what runs go on, and takes nothing new. */
static void drained(void **state)
{
	(void)state;
	struct world w;
	struct talker here, there;
	start(&w, TRUNK_TUNNEL, 64);
	up(&w);
	open_one(&w);
	UNTIL(w.loop, w.accepted == 1);
	stop_listening(&w);
	trunk_server_drain(w.server);
	UNTIL(w.loop, !open_one(&w));
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
	finish(&w);
}

/* Something went unanswered: new strands go to a new trunk, those that there are stay. */
static void doubted(void **state)
{
	(void)state;
	struct world w;
	start(&w, TRUNK_FRAMES, 200);
	up(&w);
	open_one(&w);
	UNTIL(w.loop, w.accepted == 1);
	trunk_client_doubt(w.client);
	assert_null(open_one(&w));
	wait_s(&w, SOON_S);
	UNTIL(w.loop, w.stats.up == 2);
	assert_non_null(open_one(&w));
	UNTIL(w.loop, w.accepted == 2 && w.dialled == 2);
	stream_close(w.mine[0]);
	stream_close(w.theirs[0]);
	w.mine[0] = w.theirs[0] = NULL;
	UNTIL(w.loop, w.stats.up == 1);
	finish(&w);
}

/* ---- lanes ---- */

static void moved(enum trunk_wire wire, uint64_t up_bytes, uint64_t down_bytes)
{
	struct world w;
	struct talker here, there;
	start(&w, wire, 64);
	up(&w);
	open_one(&w);
	UNTIL(w.loop, w.accepted == 1);
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
	finish(&w);
}

static void lanes(void **state)
{
	(void)state;
	moved(TRUNK_FRAMES, BULK, 10);
	moved(TRUNK_FRAMES, 10, BULK);
	moved(TRUNK_TUNNEL, BULK, BULK);
}

/* One for a trunk that nobody has opened is refused; the strand that it was for is not touched. */
static void strange_lane(void **state)
{
	(void)state;
	struct world w;
	struct wire other;
	struct stream *a, *b;
	start(&w, TRUNK_FRAMES, 64);
	up(&w);
	open_one(&w);
	UNTIL(w.loop, w.accepted == 1);
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
	finish(&w);
}

/* A strand that says it is the lane of itself, or a trunk, is told that it is none. */
static void nested(void **state)
{
	(void)state;
	for (uint32_t lane = 0; lane < 2; lane++) {
		struct world w;
		struct wire here;
		start(&w, TRUNK_FRAMES, 200);
		up(&w);
		open_one(&w);
		UNTIL(w.loop, w.accepted == 1);
		struct trunk_hello hello = {.key = {w.told.key[0], w.told.key[1] + !lane}, .strand = lane};
		trunk_server_take(w.server, w.theirs[0], &hello);
		w.theirs[0] = NULL;
		wire_start(&here, w.mine[0], 10);
		w.mine[0] = NULL;
		UNTIL(w.loop, here.heard_end);
		assert_true(wire_heard(&here, "a strand is neither"));
		wire_free(&here);
		UNTIL(w.loop, trunk_server_promised(w.server) == 100);
		finish(&w);
	}
}

/* Nothing here may outlive its owner, whatever it is in the middle of. */
static void freed_at_every_turn(void **state)
{
	(void)state;
	for (int turns = 0; turns < 30; turns++) {
		struct world w;
		start(&w, turns % 2 ? TRUNK_FRAMES : TRUNK_TUNNEL, 64);
		for (int i = 0; i < turns; i++) {
			loop_step(w.loop, 1);
			open_one(&w);
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
		finish(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),  cmocka_unit_test(opened),
		cmocka_unit_test(promises), cmocka_unit_test(outdated),
		cmocka_unit_test(refused),  cmocka_unit_test(nobody_there),
		cmocka_unit_test(silent),   cmocka_unit_test(lost),
		cmocka_unit_test(drained),  cmocka_unit_test(doubted),
		cmocka_unit_test(lanes),    cmocka_unit_test(strange_lane),
		cmocka_unit_test(nested),   cmocka_unit_test(freed_at_every_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

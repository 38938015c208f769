/* Connections that go from one worker to another: here both are in one process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/handover.h"
#include "support/sockets.h"
#include "support/until.h"
#include "support/wire.h"

#define MOST 2048 /* the kernel keeps some hundred messages for a socket */

struct taker {
	struct stream *got[MOST];
	char note[HANDOVER_NOTE + 1];
	unsigned count;
};

static void on_handed(void *arg, struct stream *s, struct span note)
{
	struct taker *t = arg;
	assert_true(t->count < MOST);
	t->got[t->count++] = s;
	memcpy(t->note, note.p, note.n);
	t->note[note.n] = '\0';
}

static void forget(struct taker *t)
{
	while (t->count)
		stream_close(t->got[--t->count]);
}

struct world {
	struct loop *loop;
	struct handover *handover;
	struct taker taken[2];
	struct handover_end *ends[2];
};

static void start(struct world *w)
{
	*w = (struct world){.loop = loop_new(), .handover = handover_new(2)};
	for (unsigned i = 0; i < 2; i++) {
		w->ends[i] = handover_listen(w->handover, w->loop, i, on_handed, &w->taken[i], NULL);
		assert_non_null(w->ends[i]);
	}
}

static void finish(struct world *w)
{
	for (unsigned i = 0; i < 2; i++) {
		forget(&w->taken[i]);
		handover_stop(w->ends[i]);
	}
	handover_free(w->handover);
	loop_free(w->loop);
}

/* Whoever has it now talks to the same peer, in both directions, and it ends as it would have. */
static void talks_on(int family)
{
	struct world w;
	struct stream *peer, *s;
	struct wire a, b;
	start(&w);
	socket_streams(w.loop, family, &peer, &s);
	wire_start(&a, peer, 100);
	assert_true(handover_give(w.handover, 1, s, SPAN("whose it is")));
	wire_say(&a, "said before it was taken");
	UNTIL(w.loop, w.taken[1].count == 1);
	assert_int_equal(w.taken[0].count, 0);
	assert_string_equal(w.taken[1].note, "whose it is");
	wire_start(&b, w.taken[1].got[0], 100);
	w.taken[1].count = 0;
	wire_say(&b, "answer");
	UNTIL(w.loop, wire_heard(&b, "said before it was taken") && wire_heard(&a, "answer"));
	wire_end(&a);
	UNTIL(w.loop, b.heard_end);
	assert_int_equal(b.err.kind, ERR_NONE);
	wire_close(&b);
	UNTIL(w.loop, a.heard_end);
	assert_int_equal(a.err.kind, ERR_NONE);
	wire_free(&a);
	wire_free(&b);
	finish(&w);
}

static void handed_over(void **state)
{
	(void)state;
	talks_on(AF_UNIX);
	talks_on(AF_INET);
}

/* What has been read already would be lost: it stays where it is. A strand or a TLS stream has no socket to give. */
static void not_to_be_given(void **state)
{
	(void)state;
	struct world w;
	struct stream *peer, *s;
	start(&w);
	socket_streams(w.loop, AF_UNIX, &peer, &s);
	struct block *b = block_get(loop_blocks(w.loop));
	b->data[0] = 'x';
	b->len = 1;
	stream_unread(s, b);
	assert_false(handover_give(w.handover, 0, s, SPAN("note")));
	stream_close(s);
	stream_close(peer);
	finish(&w);
}

/* A worker that takes nothing is given so many and no more; what it was given is found by the one in its place. */
static void nobody_takes(void **state)
{
	(void)state;
	struct world w;
	struct stream *s = NULL;
	unsigned given = 0;
	start(&w);
	handover_stop(w.ends[0]);
	int other;
	for (bool taken = true; taken && given < MOST; given += taken) {
		s = socket_stream(w.loop, AF_UNIX, &other);
		close(other);
		taken = handover_give(w.handover, 0, s, SPAN("note"));
	}
	assert_in_range(given, 1, MOST - 1);
	stream_close(s);
	static struct taker all;
	w.ends[0] = handover_listen(w.handover, w.loop, 0, on_handed, &all, NULL);
	UNTIL(w.loop, all.count == given);
	forget(&all);
	finish(&w);
}

/* No descriptor is free for it: its peer sees that it is gone, and the next one is taken again. */
static void out_of_descriptors(void **state)
{
	(void)state;
	struct world w;
	struct stream *peer[2], *s[2];
	struct wire a;
	struct rlimit before, none;
	start(&w);
	for (unsigned i = 0; i < 2; i++)
		socket_streams(w.loop, AF_UNIX, &peer[i], &s[i]);
	wire_start(&a, peer[0], 10);
	assert_true(handover_give(w.handover, 0, s[0], SPAN("note")));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	int lowest = dup(0);
	close(lowest);
	none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	UNTIL(w.loop, a.heard_end);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(w.taken[0].count, 0);
	assert_true(handover_give(w.handover, 0, s[1], SPAN("note")));
	UNTIL(w.loop, w.taken[0].count == 1);
	stream_close(peer[1]);
	wire_free(&a);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handed_over),
		cmocka_unit_test(not_to_be_given),
		cmocka_unit_test(nobody_takes),
		cmocka_unit_test(out_of_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "trunk_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "until.h"

static time_t later; /* seconds that the clock was put forward */

int clock_gettime(clockid_t id, struct timespec *t)
{
	int failed = (int)syscall(SYS_clock_gettime, id, t);
	t->tv_sec += later;
	return failed;
}

static void on_strand(void *owner, struct stream *s)
{
	struct trunk_pair *w = owner;
	assert_true(w->accepted < TRUNK_PAIR_STRANDS);
	w->theirs[w->accepted++] = s;
}

static unsigned room(void *owner)
{
	const struct trunk_pair *w = owner;
	unsigned taken = w->accepted + trunk_server_promised(w->server);
	return w->most > taken ? w->most - taken : 0;
}

static void on_promise(void *owner)
{
	((struct trunk_pair *)owner)->promises++;
}

static void on_hello(void *arg, struct block *b, const struct error *err)
{
	struct trunk_pair *w = arg;
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
	struct trunk_pair *w = arg;
	w->dialled++;
	assert_null(w->hello);
	w->hello = s;
	stream_read(s, on_hello, w);
}

void trunk_pair_serve(struct trunk_pair *w, unsigned most)
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

void trunk_pair_listen(struct trunk_pair *w)
{
	w->listener = listener_start(w->loop, &w->at, on_accept, w, NULL);
	assert_non_null(w->listener);
}

void trunk_pair_start(struct trunk_pair *w, enum trunk_wire wire, unsigned most)
{
	*w = (struct trunk_pair){.wire = wire, .directory = "/tmp/np-trunk-XXXXXX"};
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof w->path, "unix:%s/s", w->directory);
	assert_true(address_parse(w->path, &w->at, NULL));
	w->loop = loop_new();
	trunk_pair_serve(w, most);
	trunk_pair_listen(w);
	struct trunk_client_config config = {
		.to = w->at, .wire = wire, .connect_ms = 5000, .stats = &w->stats};
	w->client = trunk_client_new(w->loop, &config);
}

void trunk_pair_stop_listening(struct trunk_pair *w)
{
	if (w->listener)
		listener_stop(w->listener);
	w->listener = NULL;
	unlink(w->path + strlen("unix:"));
}

void trunk_pair_end(struct trunk_pair *w)
{
	for (unsigned i = 0; i < TRUNK_PAIR_STRANDS; i++) {
		stream_close(w->mine[i]);
		stream_close(w->theirs[i]);
	}
	stream_close(w->hello);
	trunk_client_free(w->client);
	trunk_server_free(w->server);
	trunk_pair_stop_listening(w);
	rmdir(w->directory);
	loop_free(w->loop);
	later = 0;
}

void trunk_pair_up(struct trunk_pair *w)
{
	UNTIL(w->loop, w->stats.up == 1);
}

struct stream *trunk_pair_open(struct trunk_pair *w)
{
	struct stream *s = trunk_client_open(w->client);
	if (s)
		w->mine[w->opened++] = s;
	return s;
}

void trunk_pair_wait_s(struct trunk_pair *w, unsigned seconds)
{
	later += seconds;
	for (int i = 0; i < 20; i++)
		loop_step(w->loop, 1);
}

#include "trunk_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "until.h"

static void on_strand(void *owner, struct stream *s)
{
	struct trunk_world *w = owner;
	assert_true(w->accepted < TRUNK_WORLD_STRANDS);
	w->theirs[w->accepted++] = s;
}

static unsigned room(void *owner)
{
	const struct trunk_world *w = owner;
	unsigned taken = w->accepted + trunk_server_promised(w->server) +
			 (w->second ? trunk_server_promised(w->second) : 0);
	return w->most > taken ? w->most - taken : 0;
}

static void on_promise(void *owner)
{
	((struct trunk_world *)owner)->promises++;
}

static void on_hello(void *arg, struct block *b, const struct error *err)
{
	struct trunk_world *w = arg;
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
	trunk_server_take(w->second && w->dialled % 2 == 0 ? w->second : w->server, s, &w->told);
}

static void on_accept(void *arg, struct stream *s)
{
	struct trunk_world *w = arg;
	w->dialled++;
	assert_null(w->hello);
	w->hello = s;
	stream_read(s, on_hello, w);
}

static struct trunk_server *serve(struct trunk_world *w, struct crew *crew, unsigned most)
{
	w->most = most;
	struct trunk_server_config config = {.crew = crew,
					     .wire = w->wire,
					     .room = most ? room : NULL,
					     .answer_ms = 5000,
					     .on_strand = on_strand,
					     .on_promise = on_promise,
					     .owner = w};
	return trunk_server_new(w->loop, &config);
}

void trunk_world_serve(struct trunk_world *w, unsigned most)
{
	w->server = serve(w, w->crew, most);
}

void trunk_world_listen(struct trunk_world *w)
{
	w->listener = listener_start(w->loop, &w->at, on_accept, w, NULL);
	assert_non_null(w->listener);
}

static void start(struct trunk_world *w, enum trunk_wire wire, unsigned most, unsigned workers)
{
	static const struct settings settings = {.limits = {.attestation_rate = 1}};
	*w = (struct trunk_world){.wire = wire, .directory = "/tmp/np-trunk-XXXXXX"};
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof w->path, "unix:%s/s", w->directory);
	assert_true(address_parse(w->path, &w->at, NULL));
	w->loop = loop_new();
	w->crew = crew_new(&settings, workers);
	trunk_world_serve(w, most);
	if (workers == 2) {
		w->second_crew = *w->crew;
		w->second_crew.index = 1;
		w->second = serve(w, &w->second_crew, most);
	}
	trunk_world_listen(w);
	struct trunk_client_config config = {
		.to = w->at, .wire = wire, .connect_ms = 5000, .workers = 1, .stats = &w->stats};
	w->client = trunk_client_new(w->loop, &config);
}

void trunk_world_start(struct trunk_world *w, enum trunk_wire wire, unsigned most)
{
	start(w, wire, most, 1);
}

void trunk_world_start_two(struct trunk_world *w, enum trunk_wire wire, unsigned most)
{
	start(w, wire, most, 2);
}

void trunk_world_stop_listening(struct trunk_world *w)
{
	if (w->listener)
		listener_stop(w->listener);
	w->listener = NULL;
	unlink(w->path + strlen("unix:"));
}

void trunk_world_finish(struct trunk_world *w)
{
	for (unsigned i = 0; i < TRUNK_WORLD_STRANDS; i++) {
		stream_close(w->mine[i]);
		stream_close(w->theirs[i]);
	}
	stream_close(w->hello);
	trunk_client_free(w->client);
	trunk_server_free(w->server);
	trunk_server_free(w->second);
	crew_free(w->crew);
	trunk_world_stop_listening(w);
	rmdir(w->directory);
	loop_free(w->loop);
	clock_reset();
}

void trunk_world_up(struct trunk_world *w)
{
	UNTIL(w->loop, w->stats.up == 1);
}

struct stream *trunk_world_open(struct trunk_world *w)
{
	struct stream *s = trunk_client_open(w->client);
	if (s)
		w->mine[w->opened++] = s;
	return s;
}

void trunk_world_strand(struct trunk_world *w)
{
	trunk_world_up(w);
	assert_non_null(trunk_world_open(w));
	UNTIL(w->loop, w->accepted == 1);
}

void trunk_world_wait(struct trunk_world *w, unsigned seconds)
{
	clock_forward(seconds);
	for (int i = 0; i < 20; i++)
		loop_step(w->loop, 1);
}

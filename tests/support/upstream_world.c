#include "upstream_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "proxy/tunnel_message.h"
#include "until.h"

const struct target upstream_site = {.kind = TARGET_URL, .host = "a.example", .port = 80};
const struct target upstream_raw = {.kind = TARGET_TUNNEL, .host = "a.example", .port = 80};

static void on_accept(void *arg, struct stream *s)
{
	struct upstream_world *w = arg;
	assert_in_range(w->dialled, 0, UPSTREAM_WORLD_CONNECTIONS - 1);
	wire_start(&w->service[w->dialled++], s, 4096);
}

void upstream_world_listen(struct upstream_world *w)
{
	struct error err;
	w->listener = listener_start(w->loop, &w->config.reach.tunnel, on_accept, w, &err);
	assert_non_null(w->listener);
}

void upstream_world_start_with(struct upstream_world *w, unsigned connections, unsigned idle, unsigned total)
{
	struct error err;
	*w = (struct upstream_world){.loop = loop_new(),
				     .config = {.reach = {.tunnel_ms = 600000, .tls_ms = 600000},
						.limits = PARSE_LIMITS_MAX,
						.connections_per_target = connections,
						.idle_per_target = idle,
						.idle_total = total,
						.idle_ms = 600000}};
	strcpy(w->directory, "/tmp/np-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof w->path, "unix:%s/s", w->directory);
	assert_true(address_parse(w->path, &w->config.reach.tunnel, &err));
	upstream_world_listen(w);
	w->config.stats = &w->stats;
	w->upstream = upstream_new(w->loop, &w->config);
}

void upstream_world_start(struct upstream_world *w)
{
	upstream_world_start_with(w, 8, 8, 8);
}

void upstream_world_give_up(struct upstream_request *r)
{
	if (r->leg)
		leg_close(r->leg, NULL);
	r->leg = NULL;
}

void upstream_world_finish(struct upstream_world *w)
{
	upstream_world_give_up(&w->a);
	upstream_world_give_up(&w->b);
	upstream_world_give_up(&w->c);
	upstream_free(w->upstream);
	listener_stop(w->listener);
	for (unsigned i = 0; i < w->dialled; i++)
		wire_free(&w->service[i]);
	while (loop_step(w->loop, 0))
		;
	loop_free(w->loop);
	rmdir(w->directory);
	clock_reset();
}

void upstream_world_turn(struct upstream_world *w)
{
	for (int i = 0; i < 10; i++)
		loop_step(w->loop, 0);
}

void upstream_world_wait(struct upstream_world *w, time_t seconds)
{
	clock_forward(seconds);
	upstream_world_turn(w);
}

static void on_open(void *arg, struct leg *leg, bool reused, const struct error *err)
{
	struct upstream_request *r = arg;
	r->calls++;
	r->leg = leg;
	r->reused = reused;
	r->kind = err ? err->kind : ERR_NONE;
}

void *upstream_world_ask(struct upstream_world *w, const struct target *t, bool fresh,
			 struct upstream_request *r)
{
	*r = (struct upstream_request){0};
	return upstream_open(w->upstream, t, 1, fresh, &r->trace, NULL, on_open, r);
}

void upstream_world_connected(struct upstream_world *w, unsigned i)
{
	struct buf answer;
	UNTIL(w->loop, w->dialled > i && wire_heard(&w->service[i], "}"));
	wire_forget(&w->service[i]);
	buf_init(&answer, 4096);
	assert_true(tunnel_connected_write(&answer, NULL));
	wire_say_span(&w->service[i], buf_span(&answer));
	buf_free(&answer);
}

void upstream_world_got(struct upstream_world *w, const struct upstream_request *r, bool reused)
{
	UNTIL(w->loop, r->calls);
	assert_int_equal(r->calls, 1);
	assert_int_equal(r->kind, ERR_NONE);
	assert_int_equal(r->reused, reused);
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct upstream_request *r = arg;
	assert_null(err);
	r->ended = part->end;
	block_put(part->data);
	if (!part->end)
		leg_read(r->leg, on_part, r);
}

static void on_sent(void *arg, const struct error *err)
{
	assert_null(err);
	((struct upstream_request *)arg)->sent = true;
}

void upstream_world_serve(struct upstream_world *w, struct upstream_request *r, unsigned i, bool stays)
{
	struct head h;
	struct part part = {.head = &h, .end = true};
	head_init_request(&h, SPAN("GET"), SPAN("/"));
	head_add(&h, SPAN("Host"), SPAN("x"));
	leg_send(r->leg, &part, on_sent, r);
	leg_read(r->leg, on_part, r);
	UNTIL(w->loop, wire_heard(&w->service[i], "\r\n\r\n"));
	wire_forget(&w->service[i]);
	wire_say(&w->service[i],
		 stays ? "HTTP/1.1 204 Fine\r\n\r\n" : "HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n");
	UNTIL(w->loop, r->ended && r->sent);
	upstream_world_give_up(r);
}

void upstream_world_shortage(struct upstream_world *w)
{
	upstream_world_ask(w, &upstream_site, false, &w->a);
	upstream_world_connected(w, 0);
	upstream_world_got(w, &w->a, false);
	assert_int_equal(w->stats.ahead, 0);
	upstream_world_ask(w, &upstream_site, false, &w->b);
	assert_int_equal(w->stats.ahead, 1);
	upstream_world_connected(w, 1);
	upstream_world_got(w, &w->b, false);
	UNTIL(w->loop, w->dialled == 3);
}

void upstream_world_one_ahead(struct upstream_world *w)
{
	upstream_world_shortage(w);
	upstream_world_connected(w, 2);
	UNTIL(w->loop, w->stats.idle == 1);
}

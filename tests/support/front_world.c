#include "front_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mem_stream.h"
#include "net/stream_impl.h"
#include "until.h"

#define AGENT "front-world"

/* "open:sesame", made with Python's hashlib. */
const char front_alice[] = "alice:pbkdf2-sha256:1000:000102030405060708090a0b0c0d0e0f:"
			   "dc8155d842a2922cc4ca2316b79c305976de868c327eb4f543f583d450f440fa";

/* ---- the role ---- */

static void tell_target(struct buf *out, const struct target *t)
{
	static const char *const kinds[] = {
		[TARGET_SELF] = "self", [TARGET_URL] = "url", [TARGET_TUNNEL] = "tunnel"};
	buf_printf(out, "%s", kinds[t->kind]);
	if (t->kind == TARGET_URL)
		buf_printf(out, " %s", t->https ? "https" : "http");
	if (t->kind != TARGET_SELF)
		buf_printf(out, " %s %u", t->host, t->port);
	buf_printf(out, " %.*s\n", (int)t->path.n, t->path.p);
}

static void tell_head(struct buf *out, const struct head *h)
{
	buf_printf(out, "%.*s %.*s HTTP/1.%d\r\n", (int)h->method.n, h->method.p, (int)h->target.n,
		   h->target.p, h->minor);
	for (size_t i = 0; i < h->count; i++)
		buf_printf(out, "%.*s: %.*s\r\n", (int)h->fields[i].name.n, h->fields[i].name.p,
			   (int)h->fields[i].value.n, h->fields[i].value.p);
	buf_add_text(out, "\r\n");
}

static void answer(struct exchange *x)
{
	struct head h;
	struct buf body, *length = exchange_text(x);
	buf_init(&body, BLOCK_SIZE);
	tell_target(&body, &exchange_info(x)->target);
	tell_head(&body, exchange_info(x)->request);
	buf_printf(length, "%zu", body.n);
	head_init_response(&h, 200, SPAN("OK"));
	h.keep_alive = true;
	h.framing = BODY_LENGTH;
	h.body_length = body.n;
	head_add(&h, SPAN("Content-Length"), buf_span(length));
	exchange_reply(x, &h, buf_span(&body));
	buf_free(&body);
}

static void on_route(void *owner, struct exchange *x)
{
	struct front_world *w = owner;
	w->routed++;
	w->id = exchange_info(x)->id;
	if (w->holds)
		w->held = x;
	else
		answer(x);
}

static void on_done(void *owner, struct exchange *x)
{
	struct front_world *w = owner;
	front_done(x);
	assert_null(exchange_info(x)->tag);
	w->done++;
	w->last = *exchange_info(x);
}

static void on_closed(void *owner)
{
	struct front_world *w = owner;
	w->closed++;
}

void front_world_answer(struct front_world *w)
{
	struct exchange *x = w->held;
	w->held = NULL;
	answer(x);
}

/* ---- life ---- */

void front_world_init(struct front_world *w)
{
	*w = (struct front_world){
		.loop = loop_new(),
		.workers = 1,
		.settings = {.limits = {.header_bytes = 16384,
					.header_count = 100,
					.url_length = 8192,
					.connections = 100,
					.attestation_rate = 1},
			     .timeouts = {.client_header = 20000, .client_idle = 20000}},
		.role = {.agent = AGENT, .self = HOP_HOST, .ms = {20000, 20000, 20000, 20000}}};
	w->role.on_done = on_done;
	w->role.owner = w;
	list_init(&w->role.running);
	via_init(&w->via, "world", 0xabc);
}

bool front_world_open(struct front_world *w, struct error *err)
{
	w->crew = crew_new(&w->settings, w->workers);
	struct front_config config = {.settings = &w->settings,
				      .role = &w->role,
				      .via = &w->via,
				      .crew = w->crew,
				      .metrics = &w->metrics,
				      .app = w->app,
				      .route = on_route,
				      .on_closed = on_closed,
				      .owner = w};
	w->front = front_new(w->loop, &config, err);
	return w->front != NULL;
}

void front_world_start(struct front_world *w)
{
	struct error err;
	front_world_init(w);
	if (!front_world_open(w, &err))
		fail_msg("%s", err.text);
}

void front_world_stop(struct front_world *w)
{
	exchange_abandon_all(&w->role);
	front_free(w->front);
	w->front = NULL;
}

void front_world_end(struct front_world *w)
{
	front_world_stop(w);
	assert_int_equal(loop_blocks(w->loop)->used, 0);
	loop_free(w->loop); /* which checks for tasks, timers and watches, and waits for jobs */
	crew_free(w->crew);
	text_list_free(&w->settings.access.auth);
	text_list_free(&w->settings.access.peer_uids);
}

void front_world_turn(struct front_world *w)
{
	for (int i = 0; i < 20; i++)
		loop_step(w->loop, 0);
}

/* ---- clients ---- */

/* The front's end of a memory stream, which has a peer. */
struct end {
	struct stream_ops ops;
	const struct stream_ops *memory;
	struct front_peer peer;
};

static const struct end *end_of(const struct stream *s)
{
	return container_of(s->ops, struct end, ops);
}

static void tell_peer(const struct stream *s, struct stream_peer *out)
{
	struct front_peer peer = end_of(s)->peer;
	out->loopback = peer.loopback;
	if (peer.uid)
		out->uid = peer.uid;
	if (peer.address)
		snprintf(out->address, sizeof out->address, "%s", peer.address);
}

static const char *tell_transport(const struct stream *s)
{
	return end_of(s)->peer.transport;
}

static void close_end(struct stream *s)
{
	const struct end *e = end_of(s);
	e->memory->close(s);
	free((void *)(uintptr_t)e);
}

void front_world_client(struct front_world *w, struct wire *c, struct front_peer peer)
{
	struct stream *near, *far;
	struct end *e = mem_zero(sizeof *e);
	mem_pair(w->loop, 4096, &near, &far);
	*e = (struct end){.ops = *near->ops, .memory = near->ops, .peer = peer};
	e->ops.peer = tell_peer;
	e->ops.transport = tell_transport;
	e->ops.close = close_end;
	near->ops = &e->ops;
	wire_start(c, far, 4096);
	front_accept(w->front, near);
}

void front_client_ask(struct front_world *w, struct wire *c, const char *head_and_body)
{
	unsigned done = w->done;
	wire_forget(c);
	wire_say(c, head_and_body);
	UNTIL(w->loop, w->done == done + 1 && wire_heard(c, "\r\n\r\n"));
	front_world_turn(w);
}

void front_client_heard(const struct wire *c, const char *text)
{
	if (!wire_heard(c, text))
		fail_msg("\"%s\" is not in: %.*s", text, (int)c->heard.n, c->heard.p);
}

void front_world_ask(struct front_world *w, struct front_peer peer, const char *head_and_body,
		     const char *hears)
{
	struct wire c;
	front_world_client(w, &c, peer);
	front_client_ask(w, &c, head_and_body);
	front_client_heard(&c, hears);
	wire_free(&c);
	front_world_turn(w); /* the front has seen it go */
}

#include <stdlib.h>

#include "base/mem.h"
#include "proxy/trace.h"
#include "proxy/upstream_impl.h"
#include "tls/tls_stream.h"

/* ---- the end of an opening ---- */

void upstream_discard(struct opening *o)
{
	upstream_ahead_leave(o);
	task_cancel(&o->done);
	list_remove(&o->link);
	if (o->reach)
		reach_cancel(o->reach);
	if (o->pooled) {
		o->pooled->taken = NULL;
		upstream_conn_park(o->pooled);
	}
	if (o->entry)
		target_map_release(o->upstream->targets, o->entry);
	free(o);
}

static void fail(struct opening *o, const struct error *why)
{
	exchange_open_fn *fn = o->fn;
	void *arg = o->arg;
	struct error err = *why;
	if (fn)
		o->upstream->config.stats->failed++;
	else
		o->upstream->config.stats->ahead_failed++;
	upstream_discard(o);
	if (fn)
		fn(arg, NULL, false, &err);
}

static void hand_out(struct opening *o, struct conn *c, bool reused)
{
	exchange_open_fn *fn = o->fn;
	void *arg = o->arg;
	upstream_discard(o);
	fn(arg, client_conn_leg(c->http), reused, NULL);
}

/* ---- a new connection ---- */

static void count(struct upstream *u, const struct reach_result *made, struct trace *trace)
{
	struct tls_info info;
	if (trace) {
		trace->tunnel_us = made->tunnel_us;
		trace->tls_us = made->tls_us;
	}
	if (!made->secure)
		return;
	tls_info(made->stream, &info);
	if (info.resumed)
		u->config.stats->tls_resumed++;
	else
		u->config.stats->tls_full++;
}

static void tell(const struct opening *o, struct conn *c)
{
	bool secure = o->target.kind == TARGET_URL && o->target.https;
	if (o->trace)
		o->trace->secure = secure;
	if (o->trace && secure)
		tls_info(client_conn_stream(c->http), &o->trace->tls);
	if (o->peer && secure)
		tls_info(client_conn_stream(c->http), o->peer);
}

static void on_reached(void *arg, const struct reach_result *made, const struct error *err)
{
	struct opening *o = arg;
	o->reach = NULL;
	if (err) {
		upstream_ahead_pause(o->upstream, o->entry);
		fail(o, err);
		return;
	}
	count(o->upstream, made, o->ahead ? NULL : o->trace);
	upstream_ahead_leave(o);
	struct conn *c = upstream_conn_new(o, made->stream);
	if (o->fn) {
		tell(o, c);
		hand_out(o, c, false);
		return;
	}
	upstream_discard(o);
	c->ahead = true;
	client_conn_wait(c->http);
	upstream_conn_park(c);
}

void upstream_reach(struct opening *o)
{
	struct upstream *u = o->upstream;
	o->reach = reach_start(u->loop, &u->config.reach, &o->target, o->id, on_reached, o);
}

static void on_full(struct task *t)
{
	struct opening *o = container_of(t, struct opening, done);
	struct error err;
	error_set_hop(&err, ERR_LIMIT, HOP_ENCLAVE, "all %u connections to this target are in use",
		      o->upstream->config.connections_per_target);
	fail(o, &err);
}

static void open_new(struct opening *o)
{
	struct upstream *u = o->upstream;
	unsigned limit = u->config.connections_per_target;
	struct target_entry *e = target_map_hold(u->targets, o->target.host, o->target.port, o->target.https);
	if (e->users > limit && !list_empty(&e->idle)) /* one that only waits makes room */
		upstream_conn_drop(container_of(e->idle.prev, struct conn, idle));
	else if (e->users > limit && e->ahead)
		upstream_discard(e->ahead);
	o->entry = e;
	if (e->users > limit) {
		loop_post(u->loop, &o->done, on_full);
		return;
	}
	upstream_reach(o);
	if (e->users > 1)
		upstream_ahead_short(u, e);
	upstream_ahead_open(o, e);
}

/* One that is being opened already. */
static void take_over(struct opening *o)
{
	struct upstream *u = o->upstream;
	upstream_ahead_leave(o);
	u->config.stats->ahead_used++;
	upstream_ahead_short(u, o->entry);
	upstream_ahead_open(o, o->entry);
}

/* ---- one from the pool ---- */

static void on_pooled(struct task *t)
{
	struct opening *o = container_of(t, struct opening, done);
	struct conn *c = o->pooled;
	if (c && client_conn_stale(c->http)) {
		upstream_conn_drop(c);
		c = NULL;
	}
	if (!c) { /* it has died since it was taken */
		open_new(o);
		return;
	}
	o->upstream->config.stats->reused++;
	o->upstream->config.stats->ahead_used += c->ahead;
	c->ahead = false;
	c->taken = NULL;
	o->pooled = NULL;
	tell(o, c);
	hand_out(o, c, true);
}

static void take_idle(struct opening *o, struct target_entry *e)
{
	o->pooled = container_of(e->idle.next, struct conn, idle);
	o->pooled->taken = o;
	upstream_conn_leave_idle(o->pooled);
	loop_post(o->upstream->loop, &o->done, on_pooled);
	if (list_empty(&e->idle))
		upstream_ahead_open(o, e);
}

static struct opening *opening_new(struct upstream *u, const struct target *t)
{
	struct opening *o = mem_zero(sizeof *o);
	*o = (struct opening){.upstream = u, .target = *t};
	list_append(&u->openings, &o->link);
	return o;
}

void *upstream_open(struct upstream *u, const struct target *t, uint64_t id, bool fresh, struct trace *trace,
		    struct tls_info *peer, exchange_open_fn *fn, void *arg)
{
	struct target_entry *e =
		t->kind == TARGET_URL ? target_map_find(u->targets, t->host, t->port, t->https) : NULL;
	bool idle = e && !fresh && !list_empty(&e->idle);
	struct opening *ahead = e && !idle ? e->ahead : NULL;
	struct opening *o = ahead ? ahead : opening_new(u, t);
	o->id = id;
	o->trace = trace;
	o->peer = peer;
	o->fn = fn;
	o->arg = arg;
	if (idle)
		take_idle(o, e);
	else if (ahead)
		take_over(o);
	else
		open_new(o);
	return o;
}

void upstream_cancel(struct upstream *u, void *opening)
{
	(void)u;
	upstream_discard(opening);
}

/* ---- pings ---- */

static void on_ping(void *arg, struct span status, const struct error *err)
{
	struct upstream *u = arg;
	u->ping = NULL;
	u->ping_fn(u->ping_arg, status, err);
}

void upstream_ping(struct upstream *u, reach_ping_fn *fn, void *arg)
{
	CHECK(!u->ping);
	u->ping_fn = fn;
	u->ping_arg = arg;
	u->ping = reach_ping(u->loop, &u->config.reach, on_ping, u);
}

/* ---- life ---- */

struct upstream *upstream_new(struct loop *l, const struct upstream_config *config)
{
	struct upstream *u = mem_zero(sizeof *u);
	u->loop = l;
	u->config = *config;
	u->targets = target_map_new();
	list_init(&u->idle);
	list_init(&u->openings);
	list_init(&u->paused);
	return u;
}

void upstream_close_idle(struct upstream *u)
{
	while (!list_empty(&u->idle))
		upstream_conn_drop(container_of(u->idle.next, struct conn, idle_all));
}

void upstream_free(struct upstream *u)
{
	if (u->ping)
		reach_cancel(u->ping);
	while (!list_empty(&u->openings))
		upstream_discard(container_of(u->openings.next, struct opening, link));
	upstream_close_idle(u);
	upstream_ahead_resume_all(u);
	CHECK(u->config.stats->open == 0);
	target_map_free(u->targets);
	free(u);
}

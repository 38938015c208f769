#include "proxy/upstream.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/client_conn.h"
#include "proxy/target_map.h"
#include "proxy/trace.h"
#include "tls/tls_stream.h"

/* Idle for that long, a connection gives back what it can do without. */
#define REST_AFTER_MS 1000

/* One connection: in use, or idle in its target's list. */
struct conn {
	struct upstream *upstream;
	struct target_entry *entry; /* held */
	struct client_conn *http;
	struct opening *taken; /* borrowed; it is about to be handed out to that one */
	struct list idle;      /* in entry->idle, the one used last first */
	struct list idle_all;  /* in upstream->idle */
	struct timer timer;    /* of being idle */
	uint64_t idle_since;
};

/* Somebody waits for a leg: one from the pool (which is handed out from the loop), or a new one. */
struct opening {
	struct upstream *upstream;
	struct list link; /* in upstream->openings */
	struct target target;
	uint64_t id;
	struct conn *pooled;	    /* taken from the pool; NULL again if it dies before it is handed out */
	struct target_entry *entry; /* held for the connection that is being made */
	struct reach *reach;
	struct task done;
	struct trace *trace;   /* borrowed; NULL: nobody asked */
	struct tls_info *peer; /* likewise */
	exchange_open_fn *fn;
	void *arg;
};

struct upstream {
	struct loop *loop;
	struct upstream_config config;
	struct target_map *targets;
	struct list idle; /* all idle connections, the one used last first */
	struct list openings;
	struct reach *ping;
	reach_ping_fn *ping_fn;
	void *ping_arg;
	struct upstream_stats stats;
};

/* ---- connections ---- */

static void leave_idle(struct conn *c)
{
	struct upstream *u = c->upstream;
	if (!list_linked(&c->idle))
		return;
	list_remove(&c->idle);
	list_remove(&c->idle_all);
	c->entry->idle_count--;
	u->stats.idle--;
}

static void drop_conn(struct conn *c)
{
	struct upstream *u = c->upstream;
	leave_idle(c);
	if (c->taken)
		c->taken->pooled = NULL;
	timer_stop(u->loop, &c->timer);
	client_conn_free(c->http);
	u->stats.open--;
	target_map_release(u->targets, c->entry);
	free(c);
}

static void on_dead(void *owner, struct client_conn *http)
{
	(void)http;
	drop_conn(owner);
}

static void on_idle_timeout(struct timer *t);

/* First for its rest, then for its end. */
static void wait_idle(struct conn *c, uint64_t idle_for)
{
	struct upstream *u = c->upstream;
	uint64_t until = idle_for < REST_AFTER_MS && u->config.idle_ms > REST_AFTER_MS ? REST_AFTER_MS
										       : u->config.idle_ms;
	timer_start(u->loop, &c->timer, until - idle_for, on_idle_timeout);
}

/* The timer is left running while a connection is in use: it is cheaper to look again than to stop it. */
static void on_idle_timeout(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	struct upstream *u = c->upstream;
	uint64_t idle_for = loop_now(u->loop) - c->idle_since;
	if (!list_linked(&c->idle))
		return;
	if (idle_for >= u->config.idle_ms) {
		drop_conn(c);
		return;
	}
	if (idle_for >= REST_AFTER_MS)
		tls_rest(client_conn_stream(c->http));
	wait_idle(c, idle_for);
}

static void on_idle(void *owner, struct client_conn *http)
{
	struct conn *c = owner;
	struct upstream *u = c->upstream;
	(void)http;
	if (c->entry->idle_count >= u->config.idle_per_target || !u->config.idle_total) {
		drop_conn(c);
		return;
	}
	if (u->stats.idle >= u->config.idle_total) /* the one that was used longest ago makes room */
		drop_conn(container_of(u->idle.prev, struct conn, idle_all));
	list_prepend(&c->entry->idle, &c->idle);
	list_prepend(&u->idle, &c->idle_all);
	c->entry->idle_count++;
	u->stats.idle++;
	c->idle_since = loop_now(u->loop);
	wait_idle(c, 0);
}

/* Takes the stream, and the opening's hold on the entry. */
static struct conn *new_conn(struct opening *o, struct stream *s)
{
	struct upstream *u = o->upstream;
	struct conn *c = mem_zero(sizeof *c);
	c->upstream = u;
	c->entry = o->entry;
	o->entry = NULL;
	struct client_conn_events events = {.on_idle = on_idle, .on_dead = on_dead, .owner = c};
	c->http = o->target.kind == TARGET_TUNNEL ? client_conn_new_raw(s, &events)
						  : client_conn_new(s, &u->config.limits, &events);
	u->stats.open++;
	u->stats.opened++;
	return c;
}

/* ---- the end of an opening ---- */

static void discard(struct opening *o)
{
	task_cancel(&o->done);
	list_remove(&o->link);
	if (o->reach)
		reach_cancel(o->reach);
	if (o->pooled) {
		o->pooled->taken = NULL;
		on_idle(o->pooled, o->pooled->http);
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
	o->upstream->stats.failed++;
	discard(o);
	fn(arg, NULL, false, &err);
}

static void hand_out(struct opening *o, struct conn *c)
{
	exchange_open_fn *fn = o->fn;
	void *arg = o->arg;
	discard(o);
	struct leg *leg = client_conn_leg(c->http);
	fn(arg, leg, client_conn_reused(c->http), NULL);
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
		u->stats.tls_resumed++;
	else
		u->stats.tls_full++;
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
		fail(o, err);
		return;
	}
	count(o->upstream, made, o->trace);
	struct conn *c = new_conn(o, made->stream);
	tell(o, c);
	hand_out(o, c);
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
		drop_conn(container_of(e->idle.prev, struct conn, idle));
	o->entry = e;
	if (e->users > limit)
		loop_post(u->loop, &o->done, on_full);
	else
		o->reach = reach_start(u->loop, &u->config.reach, &o->target, o->id, on_reached, o);
}

/* ---- one from the pool ---- */

static void on_pooled(struct task *t)
{
	struct opening *o = container_of(t, struct opening, done);
	struct conn *c = o->pooled;
	if (c && client_conn_stale(c->http)) {
		drop_conn(c);
		c = NULL;
	}
	if (!c) { /* it has died since it was taken */
		open_new(o);
		return;
	}
	o->upstream->stats.reused++;
	c->taken = NULL;
	o->pooled = NULL;
	tell(o, c);
	hand_out(o, c);
}

static bool take_idle(struct opening *o)
{
	struct target_entry *e =
		target_map_find(o->upstream->targets, o->target.host, o->target.port, o->target.https);
	if (!e || list_empty(&e->idle))
		return false;
	o->pooled = container_of(e->idle.next, struct conn, idle);
	o->pooled->taken = o;
	leave_idle(o->pooled);
	loop_post(o->upstream->loop, &o->done, on_pooled);
	return true;
}

void *upstream_open(struct upstream *u, const struct target *t, uint64_t id, bool fresh, struct trace *trace,
		    struct tls_info *peer, exchange_open_fn *fn, void *arg)
{
	struct opening *o = mem_zero(sizeof *o);
	*o = (struct opening){
		.upstream = u, .target = *t, .id = id, .trace = trace, .peer = peer, .fn = fn, .arg = arg};
	list_append(&u->openings, &o->link);
	bool poolable = !fresh && t->kind != TARGET_TUNNEL;
	if (!poolable || !take_idle(o))
		open_new(o);
	return o;
}

void upstream_cancel(struct upstream *u, void *opening)
{
	(void)u;
	discard(opening);
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
	return u;
}

void upstream_close_idle(struct upstream *u)
{
	while (!list_empty(&u->idle))
		drop_conn(container_of(u->idle.next, struct conn, idle_all));
}

void upstream_free(struct upstream *u)
{
	if (u->ping)
		reach_cancel(u->ping);
	while (!list_empty(&u->openings))
		discard(container_of(u->openings.next, struct opening, link));
	upstream_close_idle(u);
	CHECK(u->stats.open == 0);
	target_map_free(u->targets);
	free(u);
}

const struct upstream_stats *upstream_stats(const struct upstream *u)
{
	return &u->stats;
}

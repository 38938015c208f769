#include "proxy/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/client_conn.h"
#include "net/dial.h"
#include "proxy/target_map.h"
#include "proxy/tunnel_message.h"
#include "tls/tls_stream.h"

/* One connection: being opened, in use, or idle in its target's list. */
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

/* What has to happen until there is a leg; see the drawing in upstream.h. */
struct opening {
	struct upstream *upstream;
	struct list link; /* in upstream->openings */
	struct target_entry *entry;
	struct target target;
	uint64_t id;
	bool raw;
	struct timer timer;
	bool answered; /* the tunnel has connected: what may still be slow is TLS */
	struct dial *dial;
	struct tls *tls;
	struct stream *stream; /* owned while the tunnel is asked, and for raw until it answers */
	struct buf request;
	struct tunnel_answer answer;
	struct conn *pooled; /* taken from the pool; NULL again if it dies before it is handed out */
	struct task done;
	struct error err;
	bool failed;
	struct trace *trace;		  /* borrowed; NULL: nobody asked */
	uint64_t dialled_us, answered_us; /* for it */
	exchange_open_fn *fn;
	void *arg;
	upstream_ping_fn *ping_fn;
};

struct upstream {
	struct loop *loop;
	struct upstream_config config;
	struct target_map *targets;
	struct list idle; /* all idle connections, the one used last first */
	struct list openings;
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

/* The timer is left running while a connection is in use: it is cheaper to look again than to stop it. */
static void on_idle_timeout(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);
	struct upstream *u = c->upstream;
	uint64_t idle_for = loop_now(u->loop) - c->idle_since;
	if (list_linked(&c->idle) && idle_for >= u->config.idle_ms)
		drop_conn(c);
	else if (list_linked(&c->idle))
		timer_start(u->loop, &c->timer, u->config.idle_ms - idle_for, on_idle_timeout);
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
	timer_start(u->loop, &c->timer, u->config.idle_ms, on_idle_timeout);
}

/* Takes the stream and the opening's hold on the entry. */
static struct conn *new_conn(struct opening *o, struct stream *s)
{
	struct upstream *u = o->upstream;
	struct conn *c = mem_zero(sizeof *c);
	c->upstream = u;
	c->entry = o->entry;
	o->entry = NULL;
	struct client_conn_events events = {.on_idle = on_idle, .on_dead = on_dead, .owner = c};
	c->http = o->raw ? client_conn_new_raw(s, &events) : client_conn_new(s, &u->config.limits, &events);
	u->stats.open++;
	u->stats.opened++;
	return c;
}

/* ---- opening ---- */

static void stop(struct opening *o)
{
	timer_stop(o->upstream->loop, &o->timer);
	task_cancel(&o->done);
	if (o->dial)
		dial_cancel(o->dial);
	if (o->tls)
		tls_cancel(o->tls);
	stream_close(o->stream);
	o->dial = NULL;
	o->tls = NULL;
	o->stream = NULL;
}

static void discard(struct opening *o)
{
	struct upstream *u = o->upstream;
	stop(o);
	list_remove(&o->link);
	if (o->pooled) {
		o->pooled->taken = NULL;
		on_idle(o->pooled, o->pooled->http);
	}
	if (o->entry)
		target_map_release(u->targets, o->entry);
	tunnel_answer_free(&o->answer);
	buf_free(&o->request);
	free(o);
}

static void tell(const struct opening *o, struct conn *c)
{
	struct trace *t = o->trace;
	t->tunnel_us = o->answered ? o->answered_us - o->dialled_us : 0;
	t->tls_us = o->answered && !o->raw && o->target.https ? monotonic_us() - o->answered_us : 0;
	t->secure = !o->raw && o->target.https;
	if (t->secure)
		tls_info(client_conn_stream(c->http), &t->tls);
}

static void finish(struct opening *o, struct conn *c, struct span status)
{
	exchange_open_fn *fn = o->fn;
	upstream_ping_fn *ping_fn = o->ping_fn;
	void *arg = o->arg;
	bool failed = o->failed;
	struct error err = o->err;
	if (failed)
		o->upstream->stats.failed++;
	if (ping_fn)
		ping_fn(arg, status, failed ? &err : NULL);
	if (o->trace && c)
		tell(o, c);
	discard(o);
	if (ping_fn)
		return;
	struct leg *leg = c ? client_conn_leg(c->http) : NULL;
	fn(arg, leg, c && client_conn_reused(c->http), failed ? &err : NULL);
}

static void fail(struct opening *o, const struct error *err, enum hop hop)
{
	o->failed = true;
	o->err = *err;
	if (o->err.hop == HOP_NONE)
		o->err.hop = hop;
	finish(o, NULL, (struct span){0});
}

static void dial_new(struct opening *o);

static void on_done(struct task *t)
{
	struct opening *o = container_of(t, struct opening, done);
	struct conn *c = o->pooled;
	if (c && client_conn_stale(c->http)) {
		drop_conn(c);
		c = NULL;
	}
	if (!c && !o->failed) { /* it has died since it was taken */
		dial_new(o);
		return;
	}
	if (c) {
		o->upstream->stats.reused++;
		c->taken = NULL;
		o->pooled = NULL;
	}
	finish(o, c, (struct span){0});
}

static void on_timeout(struct timer *t)
{
	struct opening *o = container_of(t, struct opening, timer);
	struct upstream *u = o->upstream;
	struct error err;
	if (o->answered)
		error_set_hop(&err, ERR_TLS_TIMEOUT, HOP_SERVICE, "no TLS handshake within %llu ms",
			      (unsigned long long)u->config.tls_ms);
	else
		error_set_hop(&err, ERR_CONNECT_TIMEOUT, HOP_TUNNEL,
			      "no answer from the tunnel within %llu ms",
			      (unsigned long long)u->config.tunnel_ms);
	fail(o, &err, HOP_NONE);
}

/* ---- the tunnel's answer ---- */

static void connected(struct opening *o)
{
	o->answered = true;
	o->answered_us = monotonic_us();
	timer_start(o->upstream->loop, &o->timer, o->upstream->config.tls_ms, on_timeout);
}

/* In front of the ServerHello. */
static enum tls_preface on_preface(void *arg, struct block *b, struct error *err)
{
	struct opening *o = arg;
	if (!b) {
		error_set_hop(err, ERR_RESET, HOP_TUNNEL,
			      "the tunnel closed the connection without an answer");
		return PREFACE_FAILED;
	}
	switch (tunnel_answer_feed(&o->answer, b, err)) {
	case TUNNEL_ANSWER_MORE:
		return PREFACE_MORE;
	case TUNNEL_ANSWER_OK:
		connected(o);
		return PREFACE_DONE;
	case TUNNEL_ANSWER_BAD:
		break;
	}
	return PREFACE_FAILED;
}

/* Without TLS behind it: for CONNECT, plain http and pings. */
static void on_answer(void *arg, struct block *b, const struct error *err)
{
	struct opening *o = arg;
	struct error bad;
	if (err) {
		block_put(b);
		fail(o, err, HOP_TUNNEL);
		return;
	}
	switch (on_preface(o, b, &bad)) {
	case PREFACE_MORE:
		block_put(b);
		stream_read(o->stream, on_answer, o);
		return;
	case PREFACE_FAILED:
		block_put(b);
		fail(o, &bad, HOP_TUNNEL);
		return;
	case PREFACE_DONE:
		break;
	}
	stream_unread(o->stream, b);
	if (o->ping_fn) {
		finish(o, NULL, tunnel_answer_text(&o->answer));
		return;
	}
	struct stream *s = o->stream;
	o->stream = NULL;
	finish(o, new_conn(o, s), (struct span){0});
}

/* ---- the steps ---- */

static void on_secure(void *arg, struct stream *s, const struct error *err)
{
	struct opening *o = arg;
	struct upstream *u = o->upstream;
	o->tls = NULL;
	if (err) {
		fail(o, err, o->answered ? HOP_SERVICE : HOP_TUNNEL);
		return;
	}
	struct tls_info info;
	tls_info(s, &info);
	if (info.resumed)
		u->stats.tls_resumed++;
	else
		u->stats.tls_full++;
	finish(o, new_conn(o, s), (struct span){0});
}

static void on_requested(void *arg, const struct error *err)
{
	struct opening *o = arg;
	struct upstream *u = o->upstream;
	if (err) {
		fail(o, err, HOP_TUNNEL);
		return;
	}
	if (o->raw || o->ping_fn || !o->target.https) {
		stream_read(o->stream, on_answer, o);
		return;
	}
	struct tls_start start = {.conf = u->config.tls,
				  .lower = o->stream,
				  .host = o->target.host,
				  .port = o->target.port,
				  .sessions = u->config.sessions,
				  .preface = on_preface,
				  .preface_arg = o};
	o->stream = NULL;
	o->tls = tls_start(&start, on_secure, o);
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct opening *o = arg;
	o->dial = NULL;
	if (err) {
		struct error why = *err;
		if (error_is_unreachable(err->kind) && err->kind != ERR_CONNECT_TIMEOUT)
			why.kind = ERR_UNAVAILABLE; /* 503: the proxy itself is not whole */
		fail(o, &why, HOP_TUNNEL);
		return;
	}
	o->stream = s;
	bool ok = o->ping_fn ? tunnel_ping_write(&o->request)
			     : tunnel_request_write(&o->request, o->target.host, o->target.port, o->id);
	CHECK(ok);
	struct span v = buf_span(&o->request);
	stream_write(s, &v, 1, on_requested, o);
}

static struct opening *new_opening(struct upstream *u)
{
	struct opening *o = mem_zero(sizeof *o);
	o->upstream = u;
	list_append(&u->openings, &o->link);
	buf_init(&o->request, TUNNEL_MESSAGE_MAX);
	tunnel_answer_init(&o->answer);
	return o;
}

static void dial(struct opening *o)
{
	struct upstream *u = o->upstream;
	o->dialled_us = monotonic_us();
	timer_start(u->loop, &o->timer, u->config.tunnel_ms, on_timeout);
	o->dial = dial_start(u->loop, &u->config.tunnel, u->config.tunnel_ms, on_dialled, o);
}

static void dial_new(struct opening *o)
{
	struct upstream *u = o->upstream;
	unsigned limit = u->config.connections_per_target;
	struct target_entry *e = target_map_hold(u->targets, o->target.host, o->target.port, o->target.https);
	if (e->users > limit && !list_empty(&e->idle)) /* one that only waits makes room */
		drop_conn(container_of(e->idle.prev, struct conn, idle));
	if (e->users > limit) {
		target_map_release(u->targets, e);
		o->failed = !error_set_hop(&o->err, ERR_LIMIT, HOP_ENCLAVE,
					   "all %u connections to this target are in use", limit);
		loop_post(u->loop, &o->done, on_done);
		return;
	}
	o->entry = e;
	dial(o);
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
	return true;
}

void *upstream_open(struct upstream *u, const struct target *t, uint64_t id, bool fresh, struct trace *trace,
		    exchange_open_fn *fn, void *arg)
{
	struct opening *o = new_opening(u);
	o->target = *t;
	o->id = id;
	o->raw = t->kind == TARGET_TUNNEL;
	o->trace = trace;
	o->fn = fn;
	o->arg = arg;
	if (!fresh && !o->raw && take_idle(o))
		loop_post(u->loop, &o->done, on_done);
	else
		dial_new(o);
	return o;
}

void upstream_cancel(struct upstream *u, void *opening)
{
	(void)u;
	discard(opening);
}

void upstream_ping(struct upstream *u, upstream_ping_fn *fn, void *arg)
{
	struct opening *o = new_opening(u);
	o->ping_fn = fn;
	o->arg = arg;
	dial(o);
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

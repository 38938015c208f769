#include "proxy/enclave_pool.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/dial.h"
#include "proxy/trunk_client.h"

struct pooled {
	struct enclave_pool *pool;
	struct channel_client *channel;
	struct opening *taken; /* borrowed; it is about to be handed out to that one */
	struct list idle;      /* in pool->idle, the one used last first */
	struct timer timer;
	uint64_t idle_since;
};

struct opening {
	struct enclave_pool *pool;
	struct list link; /* in pool->openings */
	uint64_t id;
	struct dial *dial;
	struct pooled *conn; /* from the pool, or just made; NULL again if it dies before it is handed out */
	struct task done;
	struct error err;
	bool failed;
	exchange_open_fn *fn;
	/* a ping */
	enclave_ping_fn *ping_fn;
	uint64_t ping_started;
	struct timer ping_timer;
	void *arg;
};

struct enclave_pool {
	struct loop *loop;
	struct enclave_pool_config config;
	struct trunk_client *trunk; /* NULL: not wanted */
	struct list idle;
	struct list openings;
	unsigned dialling;
};

/* ---- connections ---- */

static void leave_idle(struct pooled *c)
{
	if (!list_linked(&c->idle))
		return;
	list_remove(&c->idle);
	c->pool->config.stats->idle--;
}

static void drop(struct pooled *c)
{
	leave_idle(c);
	if (c->taken)
		c->taken->conn = NULL;
	timer_stop(c->pool->loop, &c->timer);
	channel_client_free(c->channel);
	c->pool->config.stats->open--;
	free(c);
}

static void on_dead(void *owner, struct channel_client *channel)
{
	(void)channel;
	drop(owner);
}

static void on_idle_timeout(struct timer *t)
{
	struct pooled *c = container_of(t, struct pooled, timer);
	struct enclave_pool *p = c->pool;
	uint64_t idle_for = loop_now(p->loop) - c->idle_since;
	if (list_linked(&c->idle) && idle_for >= p->config.idle_ms)
		drop(c);
	else if (list_linked(&c->idle))
		timer_start(p->loop, &c->timer, p->config.idle_ms - idle_for, on_idle_timeout);
}

static void on_idle(void *owner, struct channel_client *channel)
{
	struct pooled *c = owner;
	struct enclave_pool *p = c->pool;
	if (trunk_client_outdates(p->trunk, channel_client_stream(channel))) {
		drop(c);
		return;
	}
	list_prepend(&p->idle, &c->idle);
	p->config.stats->idle++;
	c->idle_since = loop_now(p->loop);
	timer_start(p->loop, &c->timer, p->config.idle_ms, on_idle_timeout);
}

static struct pooled *new_conn(struct enclave_pool *p, struct stream *s, bool strand)
{
	struct pooled *c = mem_zero(sizeof *c);
	c->pool = p;
	struct channel_client_events events = {.on_idle = on_idle, .on_dead = on_dead, .owner = c};
	bool half_closes = strand || p->config.enclave.kind != ADDRESS_HYBRID;
	c->channel = channel_client_new(s, &p->config.limits, half_closes, &events);
	p->config.stats->open++;
	p->config.stats->opened++;
	return c;
}

/* ---- opening ---- */

static void discard(struct opening *o)
{
	list_remove(&o->link);
	task_cancel(&o->done);
	timer_stop(o->pool->loop, &o->ping_timer);
	if (o->dial) {
		dial_cancel(o->dial);
		o->pool->dialling--;
	}
	struct pooled *c = o->conn;
	if (c)
		c->taken = NULL;
	if (c && channel_client_used(c->channel))
		on_idle(c, c->channel);
	else if (c)
		drop(c);
	free(o);
}

/* A channel in the middle of a ping cannot go back to the pool. */
static void cancel(struct opening *o)
{
	struct pooled *c = o->conn;
	bool in_ping = timer_active(&o->ping_timer);
	if (in_ping)
		o->conn = NULL;
	discard(o);
	if (in_ping)
		drop(c);
}

static void start_ping(struct opening *o);
static void dial_new(struct opening *o);

static void on_done(struct task *t)
{
	struct opening *o = container_of(t, struct opening, done);
	struct pooled *c = o->conn;
	if (c && channel_client_stale(c->channel)) {
		drop(c);
		c = NULL;
	}
	if (!c && !o->failed) { /* it has died since it was taken */
		dial_new(o);
		return;
	}
	if (c)
		c->taken = NULL;
	if (o->failed)
		o->pool->config.stats->failed++;
	if (o->ping_fn) {
		start_ping(o);
		return;
	}
	exchange_open_fn *fn = o->fn;
	void *arg = o->arg;
	struct error err = o->err;
	bool failed = o->failed;
	uint64_t id = o->id;
	o->conn = NULL;
	discard(o);
	struct leg *leg = c ? channel_client_leg(c->channel, id) : NULL;
	fn(arg, leg, c && channel_client_reused(c->channel), failed ? &err : NULL);
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct opening *o = arg;
	o->dial = NULL;
	o->pool->dialling--;
	if (err) {
		o->failed = true;
		o->err = *err;
		o->err.hop = err->kind == ERR_LIMIT ? HOP_HOST : HOP_ENCLAVE; /* descriptors are ours */
		if (error_is_unreachable(err->kind) && err->kind != ERR_CONNECT_TIMEOUT)
			o->err.kind = ERR_UNAVAILABLE; /* 503: the proxy itself is not whole */
	} else {
		o->conn = new_conn(o->pool, s, false);
		o->conn->taken = o;
	}
	on_done(&o->done);
}

static void dial_new(struct opening *o)
{
	struct enclave_pool *p = o->pool;
	if (p->config.stats->open + p->dialling >= p->config.max && !list_empty(&p->idle))
		drop(container_of(p->idle.prev, struct pooled, idle)); /* one that only waits makes room */
	if (p->config.stats->open + p->dialling >= p->config.max) {
		o->failed = !error_set_hop(&o->err, ERR_LIMIT, HOP_HOST,
					   "all %u connections to the enclave are in use", p->config.max);
		loop_post(p->loop, &o->done, on_done);
		return;
	}
	struct stream *strand = trunk_client_open(p->trunk);
	if (strand) {
		o->conn = new_conn(p, strand, true);
		o->conn->taken = o;
		loop_post(p->loop, &o->done, on_done);
		return;
	}
	p->dialling++;
	o->dial = dial_start(p->loop, &p->config.enclave, p->config.connect_ms, on_dialled, o);
}

static struct opening *open_any(struct enclave_pool *p, bool fresh, void *arg)
{
	struct opening *o = mem_zero(sizeof *o);
	o->pool = p;
	list_append(&p->openings, &o->link);
	o->arg = arg;
	if (!fresh && !list_empty(&p->idle)) {
		o->conn = container_of(p->idle.next, struct pooled, idle);
		o->conn->taken = o;
		leave_idle(o->conn);
		loop_post(p->loop, &o->done, on_done);
	} else {
		dial_new(o);
	}
	return o;
}

void *enclave_pool_open(struct enclave_pool *p, uint64_t id, bool fresh, exchange_open_fn *fn, void *arg)
{
	struct opening *o = open_any(p, fresh, arg);
	o->fn = fn;
	o->id = id;
	return o;
}

void enclave_pool_cancel(struct enclave_pool *p, void *opening)
{
	(void)p;
	cancel(opening);
}

/* ---- pings ---- */

static void pinged(struct opening *o, struct span status, const struct error *err)
{
	uint64_t us = monotonic_us() - o->ping_started;
	o->ping_fn(o->arg, status, us, err);
	o->conn = NULL; /* it goes idle or dies by itself */
	discard(o);
}

static void on_pong(void *arg, struct span status, const struct error *err)
{
	pinged(arg, status, err);
}

static void on_ping_timeout(struct timer *t)
{
	struct opening *o = container_of(t, struct opening, ping_timer);
	struct error err;
	struct pooled *c = o->conn;
	trunk_client_doubt(o->pool->trunk, channel_client_stream(c->channel));
	error_set_hop(&err, ERR_TIMEOUT, HOP_ENCLAVE, "the enclave did not answer a ping within %llu ms",
		      (unsigned long long)o->pool->config.connect_ms);
	pinged(o, (struct span){0}, &err);
	drop(c);
}

static void start_ping(struct opening *o)
{
	if (o->failed) {
		pinged(o, (struct span){0}, &o->err);
		return;
	}
	timer_start(o->pool->loop, &o->ping_timer, o->pool->config.connect_ms, on_ping_timeout);
	channel_client_ping(o->conn->channel, on_pong, o);
}

void enclave_pool_ping(struct enclave_pool *p, enclave_ping_fn *fn, void *arg)
{
	struct opening *o = open_any(p, false, arg);
	o->ping_fn = fn;
	o->ping_started = monotonic_us();
}

/* ---- life ---- */

struct enclave_pool *enclave_pool_new(struct loop *l, const struct enclave_pool_config *config)
{
	struct enclave_pool *p = mem_zero(sizeof *p);
	p->loop = l;
	p->config = *config;
	list_init(&p->idle);
	list_init(&p->openings);
	struct trunk_client_config trunk = {.to = config->enclave,
					    .wire = TRUNK_FRAMES,
					    .connect_ms = config->connect_ms,
					    .workers = config->workers,
					    .stats = config->trunk};
	if (config->trunk)
		p->trunk = trunk_client_new(l, &trunk);
	return p;
}

void enclave_pool_close_idle(struct enclave_pool *p)
{
	while (!list_empty(&p->idle))
		drop(container_of(p->idle.next, struct pooled, idle));
}

void enclave_pool_free(struct enclave_pool *p)
{
	while (!list_empty(&p->openings))
		cancel(container_of(p->openings.next, struct opening, link));
	enclave_pool_close_idle(p);
	CHECK(p->config.stats->open == 0);
	trunk_client_free(p->trunk);
	free(p);
}

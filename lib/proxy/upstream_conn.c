#include <stdlib.h>

#include "base/mem.h"
#include "proxy/upstream_impl.h"
#include "tls/tls_stream.h"

/* Idle for that long, a connection gives back what it can do without. */
#define REST_AFTER_MS 1000

void upstream_conn_leave_idle(struct conn *c)
{
	struct upstream *u = c->upstream;
	if (!list_linked(&c->idle))
		return;
	list_remove(&c->idle);
	list_remove(&c->idle_all);
	c->entry->idle_count--;
	u->config.stats->idle--;
}

void upstream_conn_drop(struct conn *c)
{
	struct upstream *u = c->upstream;
	upstream_conn_leave_idle(c);
	if (c->ahead)
		upstream_ahead_pause(u, c->entry);
	if (c->taken)
		c->taken->pooled = NULL;
	timer_stop(u->loop, &c->timer);
	client_conn_free(c->http);
	u->config.stats->open--;
	target_map_release(u->targets, c->entry);
	free(c);
}

static void on_dead(void *owner, struct client_conn *http)
{
	(void)http;
	upstream_conn_drop(owner);
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
		upstream_conn_drop(c);
		return;
	}
	if (idle_for >= REST_AFTER_MS)
		tls_rest(client_conn_stream(c->http));
	wait_idle(c, idle_for);
}

void upstream_conn_park(struct conn *c)
{
	struct upstream *u = c->upstream;
	if (c->entry->idle_count >= u->config.idle_per_target || !u->config.idle_total ||
	    trunk_client_outdates(u->config.reach.trunk, client_conn_stream(c->http))) {
		upstream_conn_drop(c);
		return;
	}
	if (u->config.stats->idle >= u->config.idle_total) /* the one that was used longest ago makes room */
		upstream_conn_drop(container_of(u->idle.prev, struct conn, idle_all));
	list_prepend(&c->entry->idle, &c->idle);
	list_prepend(&u->idle, &c->idle_all);
	c->entry->idle_count++;
	u->config.stats->idle++;
	c->idle_since = loop_now(u->loop);
	wait_idle(c, 0);
}

static void on_idle(void *owner, struct client_conn *http)
{
	(void)http;
	upstream_conn_park(owner);
}

struct conn *upstream_conn_new(struct opening *o, struct stream *s)
{
	struct upstream *u = o->upstream;
	struct conn *c = mem_zero(sizeof *c);
	c->upstream = u;
	c->entry = o->entry;
	o->entry = NULL;
	struct client_conn_events events = {.on_idle = on_idle, .on_dead = on_dead, .owner = c};
	c->http = o->target.kind == TARGET_TUNNEL ? client_conn_new_raw(s, &events)
						  : client_conn_new(s, &u->config.limits, &events);
	u->config.stats->open++;
	u->config.stats->opened++;
	return c;
}

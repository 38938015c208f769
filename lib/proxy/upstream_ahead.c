/*
 * Connections that are opened ahead. Whoever finds none idle waits for the tunnel and for a handshake. Where
 * that has happened lately though the target had some, all of them in use, the last idle one is not taken
 * without a next one being made:
 *
 *	begun --> a request finds none idle, and takes it over as it is
 *	  |
 *	  +-----> idle, as any other --> the next request's
 *	  |          |
 *	 failed    closed, unused ------> none is opened ahead for PAUSE_MS
 *
 * A client that asks for one thing after the other is served by one connection, and never has a second one.
 * A service that lets each connection carry one request only is sent to as often as before: what was opened ahead
 * is used, or there is a pause.
 */
#include "base/mem.h"
#include "proxy/upstream_impl.h"

#define SHORT_MS   5000 /* so long after a request had to wait the next is thought to need one, too */
#define PAUSE_MS   30000
#define PAUSED_MAX 1024 /* targets that are remembered */

/* ---- pauses ---- */

static struct target_entry *paused_first(struct upstream *u)
{
	return container_of(u->paused.next, struct target_entry, paused);
}

static void resume(struct upstream *u, struct target_entry *e)
{
	list_remove(&e->paused);
	u->paused_count--;
	target_map_unkeep(u->targets, e);
}

void upstream_ahead_resume_all(struct upstream *u)
{
	while (!list_empty(&u->paused))
		resume(u, paused_first(u));
}

void upstream_ahead_pause(struct upstream *u, struct target_entry *e)
{
	uint64_t now = loop_now(u->loop);
	if (list_linked(&e->paused))
		resume(u, e);
	while (!list_empty(&u->paused) &&
	       (u->paused_count == PAUSED_MAX || paused_first(u)->paused_until <= now))
		resume(u, paused_first(u));
	e->paused_until = now + PAUSE_MS;
	list_append(&u->paused, &e->paused);
	u->paused_count++;
	target_map_keep(e);
}

/* ---- one more ---- */

void upstream_ahead_short(struct upstream *u, struct target_entry *e)
{
	e->short_until = loop_now(u->loop) + SHORT_MS;
}

/* Within what the pool may hold, too, or it would be closed when it is there. */
static bool wanted(const struct upstream *u, const struct target_entry *e)
{
	const struct upstream_config *config = &u->config;
	uint64_t now = loop_now(u->loop);
	return !u->draining && !e->ahead && now < e->short_until && now >= e->paused_until &&
	       e->users < config->connections_per_target && e->idle_count < config->idle_per_target &&
	       config->stats->idle < config->idle_total;
}

void upstream_ahead_open(const struct opening *o, struct target_entry *e)
{
	struct upstream *u = o->upstream;
	if (o->target.kind != TARGET_URL || !wanted(u, e))
		return;
	struct opening *next = mem_zero(sizeof *next);
	*next = (struct opening){.upstream = u, .target = o->target, .ahead = true}; /* no exchange's: id 0 */
	next->target.path = (struct span){0}; /* the request's, which may be over sooner */
	next->target.joined = NULL;
	list_append(&u->openings, &next->link);
	next->entry = target_map_hold(u->targets, e->host, e->port, e->https);
	e->ahead = next;
	u->config.stats->ahead++;
	upstream_reach(next);
}

void upstream_ahead_leave(const struct opening *o)
{
	if (o->entry && o->entry->ahead == o)
		o->entry->ahead = NULL;
}

void upstream_drain(struct upstream *u)
{
	u->draining = true;
	LIST_EACH (it, &u->openings) {
		struct opening *o = container_of(it, struct opening, link);
		if (!o->fn)
			upstream_discard(o);
	}
}

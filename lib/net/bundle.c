#include "net/bundle.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/bundle_impl.h"

/* ---- strands by id ---- */

static struct list *bucket_of(struct bundle *b, uint32_t id)
{
	return &b->buckets[id % BUNDLE_BUCKETS];
}

struct strand *bundle_find(struct bundle *b, uint32_t id)
{
	LIST_EACH (it, bucket_of(b, id)) {
		struct strand *st = container_of(it, struct strand, bucket);
		if (st->id == id)
			return st;
	}
	return NULL;
}

void bundle_add(struct bundle *b, struct strand *st)
{
	list_append(bucket_of(b, st->id), &st->bucket);
	b->count++;
}

static void on_ending(struct task *t)
{
	bundle_lost(container_of(t, struct bundle, ending), NULL);
}

static void on_linger(struct timer *t)
{
	bundle_lost(container_of(t, struct bundle, beat), NULL);
}

void bundle_check_ending(struct bundle *b)
{
	if (!b->leaving || b->count || b->out.filling || b->out.sending)
		return;
	if (b->config.side == BUNDLE_ACCEPTS && b->beat.fn != on_linger)
		timer_start(b->loop, &b->beat, BUNDLE_LINGER, on_linger);
	else if (b->config.side == BUNDLE_DIALS && !task_posted(&b->ending))
		loop_post_last(b->loop, &b->ending, on_ending);
}

void bundle_forget(struct strand *st)
{
	struct bundle *b = st->bundle;
	list_remove(&st->bucket);
	list_remove(&st->waiting);
	if (b->in.to == st)
		b->in.to = NULL;
	st->bundle = NULL;
	b->count--;
	bundle_check_ending(b);
}

/* ---- the end ---- */

/* What was to come has come, or comes over its lane. */
static bool complete(const struct strand *st)
{
	return st->ended && (!st->lane.in || st->lane.stream);
}

static void fail_all(struct bundle *b, const struct error *err)
{
	struct error why;
	if (err)
		why = *err;
	else
		error_set(&why, ERR_RESET, "%s has ended", stream_name(b->carrier));
	for (size_t i = 0; i < BUNDLE_BUCKETS; i++)
		LIST_EACH (it, &b->buckets[i]) {
			struct strand *st = container_of(it, struct strand, bucket);
			bundle_forget(st);
			if (st->closed)
				strand_free(st);
			else
				strand_over(st, complete(st) ? NULL : &why);
		}
}

static void destroy(struct bundle *b, const struct error *err)
{
	if (!err)
		bundle_last_words(b);
	fail_all(b, err);
	timer_stop(b->loop, &b->beat);
	task_cancel(&b->ending);
	task_cancel(&b->out.flush);
	task_cancel(&b->in.more);
	block_put(b->in.from);
	stream_close(b->carrier);
	block_put(b->out.filling);
	block_put(b->out.sending); /* it was lent to the carrier */
	free(b);
}

bool bundle_nothing_lost(const struct bundle *b)
{
	for (size_t i = 0; i < BUNDLE_BUCKETS; i++)
		LIST_EACH (it, &b->buckets[i]) {
			const struct strand *st = container_of(it, struct strand, bucket);
			if (!st->closed && !(st->deaf && complete(st)))
				return false;
		}
	return true;
}

void bundle_lost(struct bundle *b, const struct error *err)
{
	if (b->leaving && b->count == 0)
		err = NULL; /* whatever a socket says then: nobody has missed anything */
	b->config.on_gone(b->config.owner, b, err);
	destroy(b, err);
}

void bundle_free(struct bundle *b)
{
	if (b)
		destroy(b, NULL);
}

/* ---- is anybody there? ---- */

/*
 * A carrier that says nothing may have nothing to say, or be dead in a way that no socket tells. Who dials asks; who
 * accepts is asked, or nobody is there.
 */
static void on_beat(struct timer *t)
{
	struct bundle *b = container_of(t, struct bundle, beat);
	bool accepts = b->config.side == BUNDLE_ACCEPTS, heard = b->in.heard;
	if (!heard && (accepts || b->pinged)) {
		struct error silent;
		error_set(&silent, ERR_TIMEOUT, "%s: not a word, for too long", stream_name(b->carrier));
		bundle_lost(b, &silent);
		return;
	}
	b->in.heard = false;
	b->pinged = !heard;
	if (b->pinged)
		bundle_say_own(b, SAY_PING);
	timer_start(b->loop, t, accepts ? BUNDLE_SILENCE : heard ? BUNDLE_QUIET : BUNDLE_DEAD, on_beat);
}

/* ---- life ---- */

struct bundle *bundle_new(struct stream *carrier, const struct bundle_config *config)
{
	struct bundle *b = mem_zero(sizeof *b);
	b->loop = stream_loop(carrier);
	b->carrier = carrier;
	b->config = *config;
	for (size_t i = 0; i < BUNDLE_BUCKETS; i++)
		list_init(&b->buckets[i]);
	list_init(&b->out.waiting);
	timer_start(b->loop, &b->beat, config->side == BUNDLE_DIALS ? BUNDLE_QUIET : BUNDLE_SILENCE, on_beat);
	bundle_read(b);
	return b;
}

struct stream *bundle_open(struct bundle *b)
{
	CHECK(b->config.side == BUNDLE_DIALS);
	if (!bundle_has_room(b))
		return NULL;
	do
		b->last++;
	while (b->last == 0 || bundle_find(b, b->last)); /* once in four thousand million */
	struct strand *st = strand_new(b, b->last);
	st->say = SAY_OPEN;
	bundle_say(st);
	return &st->base;
}

void bundle_leave(struct bundle *b)
{
	if (b->leaving)
		return;
	b->leaving = true;
	bundle_say_own(b, SAY_LEAVE);
	bundle_check_ending(b);
}

bool bundle_leaving(const struct bundle *b)
{
	return b->leaving;
}

bool bundle_has_room(const struct bundle *b)
{
	return !b->leaving && b->count < b->config.most;
}

unsigned bundle_count(const struct bundle *b)
{
	return b->count;
}

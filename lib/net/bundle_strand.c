#include <stdlib.h>

#include "base/mem.h"
#include "net/bundle_impl.h"

static struct strand *of(struct stream *s)
{
	return container_of(s, struct strand, base);
}

/* ---- reading ---- */

void strand_deliver(struct strand *st)
{
	if (!stream_wants_read(&st->base))
		return;
	struct block *b = st->in;
	st->in = NULL;
	if (b) {
		st->taken += (uint32_t)b->len;
		stream_read_done(&st->base, b, NULL);
		bundle_say(st);
	} else if (st->why) {
		stream_read_done(&st->base, NULL, st->why);
	} else if (!lane_read(st) && st->ended) {
		stream_read_done(&st->base, NULL, NULL);
	}
}

static void strand_read(struct stream *s)
{
	strand_deliver(of(s));
}

/* ---- writing ---- */

bool strand_refuse_write(struct strand *st)
{
	struct error gone;
	if (!st->deaf || st->lane.writing) /* what is lent to the lane comes back from there */
		return false;
	error_set(&gone, ERR_RESET, "the other side of %s has closed", st->base.name);
	stream_write_done(&st->base, st->why ? st->why : &gone);
	return true;
}

static void strand_write(struct stream *s)
{
	struct strand *st = of(s);
	stream_advance(s, 0); /* empty spans at the front */
	if (!strand_refuse_write(st))
		bundle_say(st);
}

static void strand_shutdown(struct stream *s)
{
	struct strand *st = of(s);
	if (strand_refuse_write(st))
		return;
	st->say |= SAY_END;
	bundle_say(st);
}

/* ---- the end ---- */

void strand_blame(struct strand *st, const struct error *why)
{
	if (st->why)
		return;
	st->why = mem_alloc(sizeof *st->why);
	*st->why = *why;
}

void strand_over(struct strand *st, const struct error *why)
{
	st->ended = st->deaf = true;
	if (why)
		strand_blame(st, why);
	strand_deliver(st);
	if (stream_wants_write(&st->base))
		strand_refuse_write(st);
}

void strand_free(struct strand *st)
{
	block_put(st->in);
	free(st->why);
	free(st);
}

static void leave(struct strand *st, unsigned last_word)
{
	if (st->closed)
		return;
	st->closed = true;
	st->say = (st->say & SAY_OPEN) | last_word;
	lane_drop(st, last_word == SAY_RESET);
}

static void strand_close(struct stream *s)
{
	struct strand *st = of(s);
	leave(st, SAY_CLOSE);
	stream_release(s);
	if (!st->bundle) {
		strand_free(st);
		return;
	}
	if (st->bundle->in.to == st)
		st->bundle->in.to = NULL;
	bundle_say(st);
}

static void strand_abort(struct stream *s)
{
	leave(of(s), SAY_RESET);
}

static void strand_peer(const struct stream *s, struct stream_peer *peer)
{
	const struct strand *st = container_of(s, struct strand, base);
	if (st->bundle)
		stream_peer(st->bundle->carrier, peer);
}

/*
 * Not the carrier's: what half-closes, and how a break is seen, are the bundle's own. Which of the two it is answers
 * those who ask through the layers above a strand.
 */
static const char transport_name[] = "bundle", leaving_name[] = "bundle";

static const char *strand_transport(const struct stream *s)
{
	const struct strand *st = container_of(s, struct strand, base);
	return st->bundle && !st->bundle->leaving ? transport_name : leaving_name;
}

bool bundle_leaves_with(const struct stream *s)
{
	return stream_transport(s) == leaving_name;
}

bool bundle_carries(const struct stream *s)
{
	return stream_transport(s) == transport_name || bundle_leaves_with(s);
}

static const struct stream_ops strand_ops = {
	.read = strand_read,
	.write = strand_write,
	.shutdown = strand_shutdown,
	.close = strand_close,
	.peer = strand_peer,
	.transport = strand_transport,
	.abort = strand_abort,
	.through = lane_through,
};

bool bundle_has(const struct bundle *b, const struct stream *s)
{
	return s->ops == &strand_ops && container_of(s, struct strand, base)->bundle == b;
}

struct strand *strand_new(struct bundle *b, uint32_t id)
{
	struct strand *st = mem_zero(sizeof *st);
	stream_init(&st->base, b->loop, &strand_ops, stream_name(b->carrier));
	st->bundle = b;
	st->id = id;
	st->credit = st->allowed = BUNDLE_WINDOW;
	bundle_add(b, st);
	return st;
}

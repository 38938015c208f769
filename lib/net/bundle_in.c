#include "base/be.h"
#include "net/bundle_impl.h"

static bool bad(struct error *err, const struct bundle *b, const char *what)
{
	return error_set(err, ERR_PROTOCOL, "%s: %s", stream_name(b->carrier), what);
}

/* ---- frames ---- */

static bool on_open(struct bundle *b, uint32_t id, struct error *err)
{
	if (b->config.side == BUNDLE_DIALS || (int32_t)(id - b->last) <= 0 || bundle_find(b, id))
		return bad(err, b, "a strand was opened out of turn");
	if (b->count >= b->config.most)
		return bad(err, b, "too many strands");
	b->last = id;
	struct strand *st = strand_new(b, id);
	if (b->leaving)
		stream_abort(&st->base); /* it had not been told yet */
	else
		b->config.on_strand(b->config.owner, &st->base);
	return true;
}

static bool on_credit(struct bundle *b, struct strand *st, size_t length, struct error *err)
{
	if (length == 0 || length > BUNDLE_WINDOW - st->credit)
		return bad(err, b, "a window wider than it was");
	st->credit += (uint32_t)length;
	bundle_say(st);
	return true;
}

static bool on_data(struct bundle *b, struct strand *st, size_t length, struct error *err)
{
	if (length == 0 || length > BUNDLE_LONGEST)
		return bad(err, b, "a frame of an impossible length");
	if (st && (st->ended || st->lane.in || length > st->allowed))
		return bad(err, b, "more than the window leaves");
	if (st)
		st->allowed -= (uint32_t)length;
	b->in.to = st;
	b->in.left = length;
	return true;
}

static bool on_over(struct bundle *b, struct strand *st, enum bundle_type type, struct error *err)
{
	struct error why;
	if (st->deaf || (type == BUNDLE_END && st->ended))
		return bad(err, b, "a strand ended twice");
	if (type == BUNDLE_END) {
		st->ended = true;
		strand_deliver(st);
	} else if (type == BUNDLE_CLOSE) {
		strand_over(st, NULL);
	} else {
		error_set(&why, ERR_RESET, "%s was broken off by the other side", stream_name(b->carrier));
		strand_over(st, &why);
	}
	return true;
}

static bool on_moved(struct bundle *b, struct strand *st, struct error *err)
{
	if (st->lane.in || st->ended)
		return bad(err, b, "a strand moved twice, or behind its end");
	st->lane.in = true;
	if (st->lane.none)
		strand_astray(st);
	strand_deliver(st);
	return true;
}

static bool on_move(struct bundle *b, struct strand *st, struct error *err)
{
	if (b->config.side == BUNDLE_ACCEPTS)
		return bad(err, b, "an unknown frame");
	strand_is_bulk(st);
	return true;
}

static bool on_own(struct bundle *b, enum bundle_type type, struct error *err)
{
	switch (type) {
	case BUNDLE_LEAVE:
		b->leaving = true;
		bundle_check_ending(b);
		return true;
	case BUNDLE_PING:
		bundle_say_own(b, SAY_PONG);
		return true;
	case BUNDLE_PONG:
		return true;
	default:
		return bad(err, b, "an unknown frame");
	}
}

static bool on_strand_frame(struct bundle *b, struct strand *st, enum bundle_type type, size_t length,
			    struct error *err)
{
	switch (type) {
	case BUNDLE_CREDIT:
		return on_credit(b, st, length, err);
	case BUNDLE_MOVE:
		return on_move(b, st, err);
	case BUNDLE_MOVED:
		return on_moved(b, st, err);
	case BUNDLE_END:
	case BUNDLE_CLOSE:
	case BUNDLE_RESET:
		return on_over(b, st, type, err);
	default:
		return bad(err, b, "an unknown frame");
	}
}

static bool on_frame(struct bundle *b, struct error *err)
{
	enum bundle_type type = b->in.header[0];
	uint32_t length = be_u24(b->in.header + 1), id = be_u32(b->in.header + 4);
	if (length && type != BUNDLE_DATA && type != BUNDLE_CREDIT)
		return bad(err, b, "a frame of an impossible length");
	if (id == 0)
		return on_own(b, type, err);
	if (type == BUNDLE_OPEN)
		return on_open(b, id, err);
	struct strand *st = bundle_find(b, id);
	if (!st && (int32_t)(id - b->last) > 0)
		return bad(err, b, "a strand that was never opened");
	if (st && st->closed) {
		st->deaf |= type == BUNDLE_CLOSE || type == BUNDLE_RESET;
		bundle_say(st); /* and that was the last of it */
		st = NULL;
	}
	if (type == BUNDLE_DATA)
		return on_data(b, st, length, err);
	return !st || on_strand_frame(b, st, type, length, err);
}

/* ---- bytes ---- */

static void take_payload(struct bundle *b, struct block *from)
{
	size_t n = from->len < b->in.left ? from->len : b->in.left;
	struct strand *st = b->in.to;
	if (st) {
		if (!st->in)
			st->in = block_get(loop_blocks(b->loop));
		memcpy(st->in->data + st->in->len, from->data, n);
		st->in->len += n;
	}
	block_take(from, n);
	b->in.left -= n;
	if (st)
		strand_deliver(st);
}

/* Until something was given to a strand, or all is taken. */
static bool take(struct bundle *b, struct error *err)
{
	struct block *from = b->in.from;
	while (from->len) {
		if (b->in.left) {
			take_payload(b, from);
			return true;
		}
		size_t missing = BUNDLE_HEADER - b->in.have;
		size_t n = from->len < missing ? from->len : missing;
		memcpy(b->in.header + b->in.have, from->data, n);
		block_take(from, n);
		b->in.have += n;
		if (b->in.have < BUNDLE_HEADER)
			break;
		b->in.have = 0;
		if (!on_frame(b, err))
			return false;
	}
	return true;
}

static void take_apart(struct bundle *b);

static void on_more(struct task *t)
{
	take_apart(container_of(t, struct bundle, in.more));
}

/*
 * A strand's bytes are worked on before the next one gets its own: a few blocks do for hundreds of strands, and what
 * they hold is still in the cache.
 */
static void take_apart(struct bundle *b)
{
	struct error wrong;
	if (!take(b, &wrong)) {
		bundle_lost(b, &wrong);
	} else if (b->in.from->len) {
		loop_post(b->loop, &b->in.more, on_more);
	} else {
		block_put(b->in.from);
		b->in.from = NULL;
		bundle_read(b);
	}
}

static void on_read(void *arg, struct block *from, const struct error *err)
{
	struct bundle *b = arg;
	struct error closed;
	if (!from) {
		bool whole = !err && bundle_nothing_lost(b);
		if (!err)
			error_set(&closed, ERR_RESET, "%s was closed", stream_name(b->carrier));
		bundle_lost(b, whole ? NULL : err ? err : &closed);
		return;
	}
	b->in.heard = true;
	b->in.from = from;
	take_apart(b);
}

void bundle_read(struct bundle *b)
{
	stream_read(b->carrier, on_read, b);
}

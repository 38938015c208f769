/*
 * A strand that turned out to be bulk gets a connection of its own, its lane:
 *
 *	       window full, again and again     on_bulk, a lane is dialled     bundle_give_lane
 *	carrier -------------------------------> (MOVE, if who accepts         ------------------> lane
 *	                                          found it)
 *
 * Each side goes over by itself: MOVED is its last frame with bytes in mind, and what comes behind them comes over the
 * lane. How the strand ends is still told by END, CLOSE or RESET on the carrier: the end of a lane alone proves nothing.
 */
#include "base/mem.h"
#include "net/bundle_impl.h"

bool bundle_give_lane(struct bundle *b, uint32_t id, struct stream *lane)
{
	struct strand *st = bundle_find(b, id);
	if (!st || st->closed || st->lane.stream) {
		stream_close(lane);
		return false;
	}
	st->lane.stream = lane;
	st->say |= SAY_MOVED;
	strand_deliver(st);
	bundle_say(st);
	return true;
}

void strand_astray(struct strand *st)
{
	struct error err;
	error_set(&err, ERR_RESET, "%s: no connection for what was to come over one", stream_name(&st->base));
	strand_over(st, &err);
}

void bundle_no_lane(struct bundle *b, uint32_t id)
{
	struct strand *st = bundle_find(b, id);
	if (!st || st->closed || st->lane.stream)
		return;
	st->lane.none = true;
	if (st->lane.in)
		strand_astray(st);
}

void strand_is_bulk(struct strand *st)
{
	struct bundle *b = st->bundle;
	if (st->lane.asked)
		return;
	st->lane.asked = true;
	if (b->config.side == BUNDLE_DIALS)
		b->config.on_bulk(b->config.owner, b, st->id);
	else
		st->say |= SAY_MOVE;
}

/* ---- reading ---- */

static void on_impatient(struct timer *t)
{
	struct strand *st = container_of(t, struct strand, lane.patience);
	struct error cut;
	if (st->ended)
		return;
	error_set(&cut, ERR_RESET, "%s: a connection that ended without a word", stream_name(&st->base));
	strand_over(st, &cut);
}

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct strand *st = arg;
	st->in = b;
	if (!b)
		st->lane.dry = true;
	if (err)
		strand_blame(st, err);
	else if (!b && !st->ended)
		timer_start(st->base.loop, &st->lane.patience, BUNDLE_DEAD, on_impatient);
	strand_deliver(st);
}

void lane_drop(struct strand *st, bool abort)
{
	timer_stop(st->base.loop, &st->lane.patience);
	if (abort)
		stream_abort(st->lane.stream);
	else
		stream_close(st->lane.stream);
	st->lane.stream = NULL;
}

bool lane_read(struct strand *st)
{
	struct stream *lane = st->lane.stream;
	if (!st->lane.in || st->lane.dry)
		return false;
	if (lane && !stream_reading(lane))
		stream_read(lane, on_read, st);
	return true;
}

/* ---- writing ---- */

static void on_written(void *arg, const struct error *err)
{
	struct strand *st = arg;
	st->lane.writing = false;
	stream_write_done(&st->base, err);
}

void lane_write(struct strand *st)
{
	if (st->lane.writing)
		return;
	st->lane.writing = true;
	stream_write(st->lane.stream, st->base.wr.v, st->base.wr.count, on_written, st);
}

static void on_shut(void *arg, const struct error *err)
{
	struct strand *st = arg;
	st->lane.writing = false;
	st->lane.shut = true;
	if (err) {
		st->say &= ~SAY_END;
		stream_write_done(&st->base, err);
	} else if (st->bundle || !strand_refuse_write(st)) {
		bundle_say(st);
	}
}

bool lane_shut(struct strand *st)
{
	if (!st->lane.out || st->lane.shut)
		return true;
	if (!st->lane.writing) {
		st->lane.writing = true;
		stream_shutdown(st->lane.stream, on_shut, st);
	}
	return false;
}

/* ---- for splice ---- */

struct stream *lane_through(struct stream *s, enum stream_side side)
{
	struct strand *st = container_of(s, struct strand, base);
	bool yes = side == STREAM_IN
			   ? st->lane.in && !st->lane.dry && !st->in && !st->why && !s->rd.fn && !s->rd.got
			   : st->lane.out && !st->deaf && !s->wr.fn;
	return yes ? st->lane.stream : NULL;
}

#include "base/be.h"
#include "net/bundle_impl.h"

/* What is written at once when it is there; less waits for what others have to say in this turn. */
#define PLENTY 49152

/* ---- frames ---- */

/* Of a payload that comes behind a header; 0: there is none even for the header. */
static size_t room(struct bundle *b)
{
	if (!b->out.filling)
		b->out.filling = block_get(loop_blocks(b->loop));
	size_t n = block_free_room(b->out.filling);
	return n > BUNDLE_HEADER ? n - BUNDLE_HEADER : 0;
}

static void put_header(struct bundle *b, enum bundle_type type, size_t length, uint32_t id)
{
	struct block *f = b->out.filling;
	uint8_t *p = f->data + f->len;
	be_put_u32(p, (uint32_t)type << 24 | (uint32_t)length);
	be_put_u32(p + 4, id);
	f->len += BUNDLE_HEADER;
}

/* False when there is no room for it now. */
static bool put(struct strand *st, unsigned word, enum bundle_type type)
{
	if (!(st->say & word))
		return true;
	if (!room(st->bundle))
		return false;
	put_header(st->bundle, type, 0, st->id);
	st->say &= ~word;
	return true;
}

static bool put_moved(struct strand *st)
{
	if (!(st->say & SAY_MOVED) || st->base.wr.ended)
		return true;
	if (!put(st, SAY_MOVED, BUNDLE_MOVED))
		return false;
	st->lane.out = true;
	return true;
}

static bool put_credit(struct strand *st)
{
	if (st->taken < BUNDLE_WINDOW / 2 || st->ended || st->lane.in || st->closed)
		return true;
	if (!room(st->bundle))
		return false;
	put_header(st->bundle, BUNDLE_CREDIT, st->taken, st->id);
	st->allowed += st->taken;
	st->taken = 0;
	return true;
}

static size_t total(const struct stream *s)
{
	size_t n = 0;
	for (size_t i = 0; i < s->wr.count; i++)
		n += s->wr.v[i].n;
	return n;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void put_payload(struct stream *s, struct block *f, size_t n)
{
	while (n) {
		size_t part = least(n, s->wr.v[0].n);
		memcpy(f->data + f->len, s->wr.v[0].p, part);
		f->len += part;
		n -= part;
		stream_advance(s, part);
	}
}

/* False when room was short; not when it is the window: then a CREDIT takes it up again. */
static bool put_data(struct strand *st)
{
	struct stream *s = &st->base;
	if (!stream_wants_write(s) || s->wr.ended)
		return true;
	if (st->lane.out) {
		lane_write(st);
		return true;
	}
	while (s->wr.count && st->credit) {
		size_t n = least(least(total(s), st->credit), least(room(st->bundle), BUNDLE_LONGEST));
		if (!n)
			return false;
		put_header(st->bundle, BUNDLE_DATA, n, st->id);
		put_payload(s, st->bundle->out.filling, n);
		st->credit -= (uint32_t)n;
		if (!st->credit && s->wr.count && ++st->stalls == BUNDLE_BULK)
			strand_is_bulk(st);
	}
	if (!s->wr.count)
		stream_write_done(s, NULL);
	return true;
}

static bool put_end(struct strand *st)
{
	if ((st->say & SAY_END) && !lane_shut(st))
		return true;
	if (!put(st, SAY_END, BUNDLE_END))
		return false;
	if (stream_wants_write(&st->base) && st->base.wr.ended)
		stream_write_done(&st->base, NULL);
	return true;
}

static void put_own(struct bundle *b, unsigned what, enum bundle_type type)
{
	if (!(b->out.say & what) || !room(b))
		return;
	b->out.say &= ~what;
	put_header(b, type, 0, 0);
}

static void put_all_own(struct bundle *b)
{
	put_own(b, SAY_LEAVE, BUNDLE_LEAVE);
	put_own(b, SAY_PING, BUNDLE_PING);
	put_own(b, SAY_PONG, BUNDLE_PONG);
}

/* ---- the block's way ---- */

static void flush(struct bundle *b);

static void on_sent(void *arg, const struct error *err)
{
	struct bundle *b = arg;
	block_put(b->out.sending);
	b->out.sending = NULL;
	if (err) {
		bundle_lost(b, err);
		return;
	}
	put_all_own(b);
	if (b->out.filling)
		flush(b);
	while (!list_empty(&b->out.waiting)) {
		struct strand *st = container_of(b->out.waiting.next, struct strand, waiting);
		list_remove(&st->waiting);
		struct list *last = b->out.waiting.prev;
		bundle_say(st);
		if (b->out.waiting.prev != last) /* no room again */
			break;
	}
	bundle_check_ending(b);
}

static void flush(struct bundle *b)
{
	struct span v = block_span(b->out.filling);
	b->out.sending = b->out.filling;
	b->out.filling = NULL;
	task_cancel(&b->out.flush);
	stream_write(b->carrier, &v, 1, on_sent, b);
}

void bundle_last_words(struct bundle *b)
{
	if (b->out.filling && !b->out.sending)
		flush(b);
}

static void on_flush(struct task *t)
{
	flush(container_of(t, struct bundle, out.flush));
}

static void schedule(struct bundle *b)
{
	const struct block *f = b->out.filling;
	if (!f || b->out.sending)
		return;
	if (f->len >= PLENTY)
		flush(b);
	else if (!task_posted(&b->out.flush))
		loop_post_last(b->loop, &b->out.flush, on_flush);
}

void bundle_say_own(struct bundle *b, unsigned what)
{
	b->out.say |= what;
	put_all_own(b);
	schedule(b);
}

void bundle_say(struct strand *st)
{
	struct bundle *b = st->bundle;
	if (!b || list_linked(&st->waiting))
		return;
	bool all = put(st, SAY_OPEN, BUNDLE_OPEN) && put_moved(st) && put_data(st) && put_end(st) &&
		   put_credit(st) && put(st, SAY_MOVE, BUNDLE_MOVE) && put(st, SAY_RESET, BUNDLE_RESET) &&
		   put(st, SAY_CLOSE, BUNDLE_CLOSE);
	if (!all)
		list_append(&b->out.waiting, &st->waiting);
	else if (st->closed && (st->deaf || b->config.side == BUNDLE_ACCEPTS)) {
		bundle_forget(st);
		strand_free(st);
	}
	schedule(b);
}

#include "mem_stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/stream_impl.h"

enum breakage { WHOLE, CUT, FAIL };

struct mem {
	struct stream base;
	struct mem *peer; /* borrowed; NULL when it has been closed */
	/* what this side sends */
	uint64_t sent, break_at;
	enum breakage breakage;
	bool broken; /* break_at has been reached */
	/* what the peer sent and this side has not read */
	bool ended;
	size_t cap, len;
	uint8_t fifo[];
};

static struct mem *mem_of(struct stream *s)
{
	return container_of(s, struct mem, base);
}

static void reset_error(struct error *err)
{
	error_set(err, ERR_RESET, "memory stream: connection reset");
}

/* Bytes in flight to whoever reads from rx. */
static void deliver(struct mem *rx)
{
	if (!stream_wants_read(&rx->base))
		return;
	if (rx->len) {
		struct block *b = block_get(loop_blocks(rx->base.loop));
		size_t room = block_free_room(b);
		size_t n = rx->len < room ? rx->len : room;
		memcpy(b->data, rx->fifo, n);
		b->len = n;
		memmove(rx->fifo, rx->fifo + n, rx->len -= n);
		stream_read_done(&rx->base, b, NULL);
	} else if (rx->peer && rx->peer->broken && rx->peer->breakage == FAIL) {
		struct error err;
		reset_error(&err);
		stream_read_done(&rx->base, NULL, &err);
	} else if (rx->ended || !rx->peer) {
		stream_read_done(&rx->base, NULL, NULL);
	}
}

/* How much of want may still go out whole; says when the break has been reached. */
static size_t before_break(struct mem *tx, size_t want)
{
	if (tx->breakage == WHOLE)
		return want;
	uint64_t left = tx->break_at > tx->sent ? tx->break_at - tx->sent : 0;
	return left < want ? (size_t)left : want;
}

static void note_break(struct mem *tx)
{
	if (tx->breakage == WHOLE || tx->sent < tx->break_at)
		return;
	tx->broken = true;
	tx->peer->ended = true;
}

/* False: no room left before all of v had gone. */
static bool send_span(struct mem *tx, struct span *v)
{
	struct mem *rx = tx->peer;
	size_t room = rx->cap - rx->len;
	size_t n = before_break(tx, v->n < room ? v->n : room);
	if (n)
		memcpy(rx->fifo + rx->len, v->p, n);
	rx->len += n;
	tx->sent += n;
	*v = span_from(*v, n);
	note_break(tx);
	return tx->broken || v->n == 0;
}

static void push(struct mem *tx)
{
	if (!stream_wants_write(&tx->base))
		return;
	struct error err;
	reset_error(&err);
	if (!tx->peer) {
		stream_write_done(&tx->base, &err);
		return;
	}
	for (size_t i = 0; i < tx->base.wr.count; i++)
		if (!send_span(tx, &tx->base.wr.v[i]))
			return;
	if (tx->broken && tx->breakage == FAIL) {
		stream_write_done(&tx->base, &err);
		return;
	}
	if (tx->base.wr.ended)
		tx->peer->ended = true;
	stream_write_done(&tx->base, NULL);
}

/* A read makes room for the write behind it, and a write brings bytes for the read. */
static void move(struct mem *tx, struct mem *rx)
{
	if (tx)
		push(tx);
	if (rx)
		deliver(rx);
	if (tx)
		push(tx);
}

static void mem_read(struct stream *s)
{
	move(mem_of(s)->peer, mem_of(s));
}

static void mem_write(struct stream *s)
{
	move(mem_of(s), mem_of(s)->peer);
}

static void mem_close(struct stream *s)
{
	struct mem *m = mem_of(s), *peer = m->peer;
	if (peer) {
		peer->ended = true;
		peer->peer = NULL;
		deliver(peer);
		push(peer);
	}
	stream_release(s);
	mem_wipe(m->fifo, m->cap);
	free(m);
}

static const struct stream_ops mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.shutdown = mem_write,
	.close = mem_close,
};

static struct mem *mem_new(struct loop *l, size_t cap, const char *name)
{
	struct mem *m = mem_zero(sizeof *m + cap);
	m->cap = cap;
	stream_init(&m->base, l, &mem_ops, name);
	return m;
}

void mem_pair(struct loop *l, size_t cap, struct stream **a, struct stream **b)
{
	CHECK(cap > 0);
	struct mem *x = mem_new(l, cap, "memory a"), *y = mem_new(l, cap, "memory b");
	x->peer = y;
	y->peer = x;
	*a = &x->base;
	*b = &y->base;
}

static void break_at(struct stream *s, uint64_t n, enum breakage breakage)
{
	struct mem *m = mem_of(s);
	CHECK(m->peer);
	m->break_at = n;
	m->breakage = breakage;
	note_break(m);
	move(m, m->peer);
}

void mem_cut(struct stream *s, uint64_t n)
{
	break_at(s, n, CUT);
}

void mem_fail(struct stream *s, uint64_t n)
{
	break_at(s, n, FAIL);
}

uint64_t mem_sent(struct stream *s)
{
	return mem_of(s)->sent;
}

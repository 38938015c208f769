#include "net/relay.h"

#include <stdlib.h>

#include "base/mem.h"

/* Reads of less than this are conversation; this much in larger ones is bulk. */
#define BULK_READ  8192
#define BULK_BYTES 65536

/* For the end of a direction that is only swallowed, once the other one is over. */
#define LINGER_MS 2000

/* One direction. */
struct pump {
	struct relay *relay;
	struct stream *from, *to;
	struct block *block;   /* being written; NULL else */
	struct splice *splice; /* running; NULL else */
	uint64_t bytes;	       /* handed on */
	size_t bulk;	       /* bytes of large reads in a row */
	bool unable;	       /* to splice */
	bool deaf;	       /* `to` has failed: what comes is swallowed */
	bool told;	       /* `from` has ended by itself, and `to` was given the end */
	bool done;
};

struct relay {
	struct pump forth, back; /* a to b, b to a */
	struct relay_options options;
	struct timer idle;
	bool failed;
	struct error err;     /* the first one.. */
	enum relay_side side; /* ..and whose it is */
	relay_fn *fn;
	void *arg;
};

static void pump_read(struct pump *p);

static struct loop *loop_of(const struct relay *r)
{
	return stream_loop(r->forth.from);
}

/* p: the direction that leads to it. */
static void drop(struct stream *s, const struct pump *p)
{
	if (p->told)
		stream_close(s);
	else
		stream_abort(s);
}

void relay_cancel(struct relay *r)
{
	timer_stop(loop_of(r), &r->idle);
	if (r->forth.splice)
		splice_cancel(r->forth.splice);
	if (r->back.splice)
		splice_cancel(r->back.splice);
	drop(r->forth.from, &r->back);
	drop(r->back.from, &r->forth);
	block_put(r->forth.block); /* they were lent to the streams */
	block_put(r->back.block);
	free(r);
}

static void finish(struct relay *r)
{
	relay_fn *fn = r->fn;
	void *arg = r->arg;
	struct error err = r->err;
	struct relay_result result = {.a_to_b = r->forth.bytes,
				      .b_to_a = r->back.bytes,
				      .err = r->failed ? &err : NULL,
				      .side = r->side};
	relay_cancel(r);
	fn(arg, &result);
}

static void note(struct relay *r, const struct error *err, const struct stream *of)
{
	if (r->failed)
		return;
	r->failed = true;
	r->err = *err;
	r->side = !of ? RELAY_NEITHER : of == r->forth.from ? RELAY_A : RELAY_B;
}

static void on_idle(struct timer *t)
{
	struct relay *r = container_of(t, struct relay, idle);
	struct error err;
	error_set(&err, ERR_TIMEOUT, "no byte in either direction for %llu ms",
		  (unsigned long long)r->options.idle_ms);
	note(r, &err, NULL);
	finish(r);
}

static void progress(struct pump *p, size_t bytes)
{
	p->bytes += bytes;
	timer_start(loop_of(p->relay), &p->relay->idle, p->relay->options.idle_ms, on_idle);
}

/* One direction has got further than before towards its end. */
static void settle(struct relay *r)
{
	const struct pump *a = &r->forth, *b = &r->back;
	if (a->done && b->done)
		finish(r);
	else if ((a->done && b->deaf) || (b->done && a->deaf))
		timer_start(loop_of(r), &r->idle, LINGER_MS, on_idle);
}

static void pump_done(struct pump *p)
{
	p->done = true;
	settle(p->relay);
}

static void on_ended(void *arg, const struct error *err)
{
	struct pump *p = arg;
	if (err)
		note(p->relay, err, p->to);
	p->told = !err;
	pump_done(p);
}

static void pump_deaf(struct pump *p)
{
	p->deaf = true;
	pump_read(p);
	settle(p->relay);
}

/* ---- through the kernel ---- */

static void on_moved(void *arg, size_t bytes)
{
	progress(arg, bytes);
}

static void on_splice_ended(void *arg, enum splice_end why, const struct error *err)
{
	struct pump *p = arg;
	p->splice = NULL;
	p->bulk = 0;
	if (err)
		note(p->relay, err, why == SPLICE_READ_FAILED ? p->from : p->to);
	switch (why) {
	case SPLICE_UNABLE:
		p->unable = true;
		pump_read(p);
		break;
	case SPLICE_ENDED:
	case SPLICE_QUIET:
		pump_read(p);
		break;
	case SPLICE_READ_FAILED:
		finish(p->relay);
		break;
	case SPLICE_WRITE_FAILED:
		pump_deaf(p);
		break;
	}
}

static bool pump_splice(struct pump *p)
{
	static const struct splice_events events = {on_moved, on_splice_ended};
	if (p->bulk < BULK_BYTES || p->unable || !p->relay->options.pipes)
		return false;
	if (!stream_through(p->from, STREAM_IN) || !stream_through(p->to, STREAM_OUT))
		return false; /* not yet */
	p->splice = splice_start(p->relay->options.pipes, p->from, p->to, &events, p);
	p->unable = !p->splice;
	return p->splice;
}

/* ---- through a block ---- */

static void on_written(void *arg, const struct error *err)
{
	struct pump *p = arg;
	size_t n = p->block->len;
	block_put(p->block);
	p->block = NULL;
	if (err) {
		note(p->relay, err, p->to);
		pump_deaf(p);
		return;
	}
	progress(p, n);
	if (!pump_splice(p))
		pump_read(p);
}

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct pump *p = arg;
	if (err) {
		note(p->relay, err, p->from);
		finish(p->relay);
		return;
	}
	if (!b && p->deaf) {
		pump_done(p);
		return;
	}
	if (!b) {
		stream_shutdown(p->to, on_ended, p);
		return;
	}
	if (p->deaf) {
		block_put(b);
		pump_read(p);
		return;
	}
	p->bulk = b->len < BULK_READ ? 0 : p->bulk + b->len;
	p->block = b;
	struct span v = block_span(b);
	stream_write(p->to, &v, 1, on_written, p);
}

static void pump_read(struct pump *p)
{
	stream_read(p->from, on_read, p);
}

/* ---- life ---- */

struct relay *relay_start(struct stream *a, struct stream *b, const struct relay_options *options,
			  relay_fn *fn, void *arg)
{
	struct relay *r = mem_zero(sizeof *r);
	r->forth = (struct pump){.relay = r, .from = a, .to = b};
	r->back = (struct pump){.relay = r, .from = b, .to = a};
	r->options = *options;
	r->fn = fn;
	r->arg = arg;
	timer_start(loop_of(r), &r->idle, options->idle_ms, on_idle);
	pump_read(&r->forth);
	pump_read(&r->back);
	return r;
}

void relay_set_idle(struct relay *r, uint64_t idle_ms)
{
	r->options.idle_ms = idle_ms;
	timer_start(loop_of(r), &r->idle, idle_ms, on_idle);
}

void relay_bytes(const struct relay *r, uint64_t *a_to_b, uint64_t *b_to_a)
{
	*a_to_b = r->forth.bytes;
	*b_to_a = r->back.bytes;
}

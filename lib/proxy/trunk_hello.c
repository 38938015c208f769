#include "proxy/trunk_hello.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/dial.h"

struct trunk_hello_op {
	struct loop *loop;
	struct dial *dial;
	struct stream *stream; /* owned */
	struct timer timer;
	uint64_t ms;
	struct buf hello;
	struct trunk_answer answer;
	trunk_hello_fn *fn;
	void *arg;
};

void trunk_hello_cancel(struct trunk_hello_op *o)
{
	timer_stop(o->loop, &o->timer);
	if (o->dial)
		dial_cancel(o->dial);
	stream_close(o->stream);
	trunk_answer_free(&o->answer);
	buf_free(&o->hello);
	free(o);
}

static void finish(struct trunk_hello_op *o, bool good, bool refused, const struct error *why)
{
	trunk_hello_fn *fn = o->fn;
	void *arg = o->arg;
	struct stream *s = good ? o->stream : NULL;
	struct trunk_offer offer = o->answer.offer;
	struct error err;
	if (!good)
		err = *why;
	else
		o->stream = NULL;
	trunk_hello_cancel(o);
	fn(arg, s, &offer, refused, good ? NULL : &err);
}

static void on_timeout(struct timer *t)
{
	struct trunk_hello_op *o = container_of(t, struct trunk_hello_op, timer);
	struct error err;
	error_set(&err, ERR_TIMEOUT, "no answer within %llu ms", (unsigned long long)o->ms);
	finish(o, false, false, &err);
}

static void on_answer(void *arg, struct block *b, const struct error *err)
{
	struct trunk_hello_op *o = arg;
	struct error bad;
	if (!b) { /* one that is too old to know closes, and says why or not */
		error_set(&bad, ERR_RESET, "no answer");
		finish(o, false, !err, err ? err : &bad);
		return;
	}
	enum trunk_answer_result result = trunk_answer_feed(&o->answer, b, &bad);
	if (result == TRUNK_ANSWER_OK)
		stream_unread(o->stream, b);
	else
		block_put(b);
	if (result == TRUNK_ANSWER_MORE)
		stream_read(o->stream, on_answer, o);
	else
		finish(o, result == TRUNK_ANSWER_OK, true, &bad);
}

static void on_said(void *arg, const struct error *err)
{
	struct trunk_hello_op *o = arg;
	if (err)
		finish(o, false, false, err);
	else
		stream_read(o->stream, on_answer, o);
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct trunk_hello_op *o = arg;
	o->dial = NULL;
	if (err) {
		finish(o, false, false, err);
		return;
	}
	o->stream = s;
	timer_start(o->loop, &o->timer, o->ms, on_timeout);
	struct span v = buf_span(&o->hello);
	stream_write(s, &v, 1, on_said, o);
}

struct trunk_hello_op *trunk_hello_start(struct loop *l, const struct address *to, enum trunk_wire wire,
					 const struct trunk_hello *hello, uint64_t ms, trunk_hello_fn *fn,
					 void *arg)
{
	struct trunk_hello_op *o = mem_zero(sizeof *o);
	*o = (struct trunk_hello_op){.loop = l, .ms = ms, .fn = fn, .arg = arg};
	buf_init(&o->hello, TUNNEL_HEADER + TUNNEL_MESSAGE_MAX);
	trunk_hello_write(&o->hello, wire, hello);
	trunk_answer_init(&o->answer, wire);
	o->dial = dial_start(l, to, ms, on_dialled, o);
	return o;
}

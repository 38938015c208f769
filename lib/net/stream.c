#include "net/stream.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/stream_impl.h"

void stream_init(struct stream *s, struct loop *l, const struct stream_ops *ops, const char *name)
{
	*s = (struct stream){.ops = ops, .loop = l, .name = mem_text(name)};
}

const char *stream_name(const struct stream *s)
{
	return s->name;
}

struct loop *stream_loop(const struct stream *s)
{
	return s->loop;
}

bool stream_reading(const struct stream *s)
{
	return s->rd.fn != NULL;
}

bool stream_writing(const struct stream *s)
{
	return s->wr.fn != NULL;
}

bool stream_ready(const struct stream *s)
{
	return s->rd.got || s->rd.err || s->rd.ended;
}

/* ---- reading ---- */

static void deliver_read(struct task *t)
{
	struct stream *s = container_of(t, struct stream, rd.task);
	stream_read_fn *fn = s->rd.fn;
	struct block *b = s->rd.got;
	s->rd.fn = NULL;
	s->rd.got = NULL;
	/* The error outlives the callback even if that closes the stream. */
	struct error err;
	bool failed = !b && s->rd.err;
	if (failed)
		err = *s->rd.err;
	fn(s->rd.arg, b, failed ? &err : NULL);
}

void stream_read(struct stream *s, stream_read_fn *fn, void *arg)
{
	CHECK(!s->rd.fn && fn);
	s->rd.fn = fn;
	s->rd.arg = arg;
	if (s->rd.got || s->rd.err || s->rd.ended)
		loop_post(s->loop, &s->rd.task, deliver_read);
	else
		s->ops->read(s);
}

void stream_unread(struct stream *s, struct block *b)
{
	CHECK(!s->rd.fn && !s->rd.got);
	if (b->len)
		s->rd.got = b;
	else
		block_put(b);
}

void stream_read_cancel(struct stream *s)
{
	/* What was read already stays in rd.got for the next read. */
	task_cancel(&s->rd.task);
	s->rd.fn = NULL;
}

void stream_read_done(struct stream *s, struct block *b, const struct error *err)
{
	CHECK(stream_wants_read(s));
	if (b) {
		CHECK(b->len > 0 && !s->rd.got);
		s->rd.got = b;
	} else if (err) {
		s->rd.err = mem_alloc(sizeof *s->rd.err);
		*s->rd.err = *err;
	} else {
		s->rd.ended = true;
	}
	loop_post(s->loop, &s->rd.task, deliver_read);
}

/* ---- writing ---- */

static void deliver_write(struct task *t)
{
	struct stream *s = container_of(t, struct stream, wr.task);
	stream_write_fn *fn = s->wr.fn;
	s->wr.fn = NULL;
	struct error err;
	bool failed = s->wr.err != NULL;
	if (failed)
		err = *s->wr.err;
	fn(s->wr.arg, failed ? &err : NULL);
}

void stream_write(struct stream *s, const struct span *v, size_t count, stream_write_fn *fn, void *arg)
{
	CHECK(!s->wr.fn && fn && count <= STREAM_MAX_SPANS && !s->wr.ended);
	s->wr.fn = fn;
	s->wr.arg = arg;
	s->wr.count = count;
	memcpy(s->wr.v, v, count * sizeof *v);
	if (s->wr.err)
		loop_post(s->loop, &s->wr.task, deliver_write);
	else
		s->ops->write(s);
}

void stream_shutdown(struct stream *s, stream_write_fn *fn, void *arg)
{
	CHECK(!s->wr.fn && fn && !s->wr.ended);
	s->wr.fn = fn;
	s->wr.arg = arg;
	s->wr.count = 0;
	s->wr.ended = true;
	if (s->wr.err)
		loop_post(s->loop, &s->wr.task, deliver_write);
	else
		s->ops->shutdown(s);
}

void stream_write_done(struct stream *s, const struct error *err)
{
	CHECK(stream_wants_write(s));
	if (err) {
		s->wr.err = mem_alloc(sizeof *s->wr.err);
		*s->wr.err = *err;
	}
	loop_post(s->loop, &s->wr.task, deliver_write);
}

void stream_advance(struct stream *s, size_t n)
{
	size_t i = 0;
	for (; i < s->wr.count && n >= s->wr.v[i].n; i++)
		n -= s->wr.v[i].n;
	if (i < s->wr.count)
		s->wr.v[i] = span_from(s->wr.v[i], n);
	s->wr.count -= i;
	memmove(s->wr.v, s->wr.v + i, s->wr.count * sizeof s->wr.v[0]);
}

/* ---- the end ---- */

void stream_close(struct stream *s)
{
	if (!s)
		return;
	task_cancel(&s->rd.task);
	task_cancel(&s->wr.task);
	s->rd.fn = NULL;
	s->wr.fn = NULL;
	s->ops->close(s);
}

void stream_abort(struct stream *s)
{
	if (s && s->ops->abort)
		s->ops->abort(s);
	stream_close(s);
}

void stream_require_end(struct stream *s)
{
	if (s->ops->require_end)
		s->ops->require_end(s);
}

void stream_release(struct stream *s)
{
	block_put(s->rd.got);
	free(s->rd.err);
	free(s->wr.err);
	free(s->name);
}

struct stream *stream_through(struct stream *s, enum stream_side side)
{
	return s->ops->through ? s->ops->through(s, side) : s;
}

void stream_peer(const struct stream *s, struct stream_peer *peer)
{
	*peer = (struct stream_peer){.cid = -1, .uid = -1};
	if (s->ops->peer)
		s->ops->peer(s, peer);
}

const char *stream_transport(const struct stream *s)
{
	return s->ops->transport ? s->ops->transport(s) : NULL;
}

#include "net/splice.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/fd_stream.h"

#define PIPE_BYTES 262144

/* Moved in one go before other connections get their turn. */
#define TURN_BYTES ((size_t)4 << 20)

/* A run of less than this is cheaper with a read and a write. */
#define QUIET_BYTES 16384

/* ---- pipes ---- */

struct pipe {
	struct pipe *next; /* in the pool */
	int in, out;
	size_t room;
};

struct splice_pool {
	struct pipe *free;
	unsigned open, limit;
};

struct splice_pool *splice_pool_new(unsigned limit)
{
	struct splice_pool *pool = mem_zero(sizeof *pool);
	pool->limit = limit;
	signal(SIGPIPE, SIG_IGN);
	return pool;
}

static void pipe_close(struct splice_pool *pool, struct pipe *p)
{
	close(p->in);
	close(p->out);
	free(p);
	pool->open--;
}

void splice_pool_free(struct splice_pool *pool)
{
	while (pool->free) {
		struct pipe *p = pool->free;
		pool->free = p->next;
		pipe_close(pool, p);
	}
	CHECK(pool->open == 0);
	free(pool);
}

static struct pipe *pipe_get(struct splice_pool *pool)
{
	struct pipe *p = pool->free;
	if (p) {
		pool->free = p->next;
		return p;
	}
	int fds[2];
	if (pool->open == pool->limit || pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0)
		return NULL;
	p = mem_zero(sizeof *p);
	*p = (struct pipe){.in = fds[1], .out = fds[0]};
	pool->open++;
	/* A user who has used up his share of pipe pages is given less, and then this is not worth it. */
	int room = fcntl(p->in, F_SETPIPE_SZ, PIPE_BYTES);
	if (room < PIPE_BYTES) {
		pipe_close(pool, p);
		return NULL;
	}
	p->room = (size_t)room;
	return p;
}

static void pipe_put(struct splice_pool *pool, struct pipe *p)
{
	p->next = pool->free;
	pool->free = p;
}

/* ---- one direction ---- */

struct splice {
	struct splice_pool *pool;
	struct stream *from, *to; /* borrowed */
	struct pipe *pipe;	  /* NULL while nothing moves */
	size_t in_pipe;
	bool readable, writable;   /* as far as the edges tell */
	bool ended;		   /* nothing more comes out of from.. */
	int read_code, write_code; /* ..for this reason; errno, 0 when there is none */
	uint64_t run;		   /* bytes since `from` was last found dry */
	struct task task;
	struct splice_events events;
	void *arg;
};

/* Both say whether there is reason to go on at once. */
static bool fill(struct splice *s)
{
	if (!s->readable || s->ended || s->in_pipe >= s->pipe->room)
		return false;
	ssize_t n = splice(fd_stream_fd(s->from), NULL, s->pipe->in, NULL, s->pipe->room - s->in_pipe,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0) {
		s->in_pipe += (size_t)n;
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN) {
		/* Or it is the pipe, full of small pieces: that shows when it has been emptied. */
		s->readable = s->in_pipe > 0;
		return false;
	}
	s->read_code = n < 0 ? errno : 0;
	s->ended = true;
	return false;
}

static bool drain(struct splice *s, size_t *moved)
{
	if (!s->writable || s->in_pipe == 0)
		return false;
	ssize_t n = splice(s->pipe->out, NULL, fd_stream_fd(s->to), NULL, s->in_pipe,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n > 0) {
		s->in_pipe -= (size_t)n;
		*moved += (size_t)n;
		return true;
	}
	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno != EAGAIN)
		s->write_code = errno;
	s->writable = false;
	return false;
}

void splice_cancel(struct splice *s)
{
	task_cancel(&s->task);
	fd_stream_untap(s->from, STREAM_IN);
	fd_stream_untap(s->to, STREAM_OUT);
	if (s->pipe && s->in_pipe)
		pipe_close(s->pool, s->pipe);
	else if (s->pipe)
		pipe_put(s->pool, s->pipe);
	free(s);
}

static void finish(struct splice *s, enum splice_end why, const struct error *err)
{
	struct splice_events events = s->events;
	void *arg = s->arg;
	splice_cancel(s);
	events.ended(arg, why, err);
}

static void finish_read(struct splice *s)
{
	struct error err;
	if (s->read_code)
		error_errno(&err, s->read_code, "reading from %s", stream_name(s->from));
	if (!s->read_code)
		finish(s, SPLICE_ENDED, NULL);
	else if (s->read_code == EINVAL)
		finish(s, SPLICE_UNABLE, NULL);
	else
		finish(s, SPLICE_READ_FAILED, &err);
}

static void finish_write(struct splice *s)
{
	struct error err;
	error_errno(&err, s->write_code, "writing to %s", stream_name(s->to));
	finish(s, SPLICE_WRITE_FAILED, &err);
}

static void on_run(struct task *t);

/* Nothing can move now, until an edge comes. */
static void rest(struct splice *s)
{
	if (s->in_pipe)
		return;
	pipe_put(s->pool, s->pipe);
	s->pipe = NULL;
	if (s->run < QUIET_BYTES)
		finish(s, SPLICE_QUIET, NULL);
	else
		s->run = 0;
}

static void on_run(struct task *t)
{
	struct splice *s = container_of(t, struct splice, task);
	size_t moved = 0;
	bool more = true;
	if (!s->pipe && !(s->pipe = pipe_get(s->pool))) {
		finish(s, SPLICE_QUIET, NULL);
		return;
	}
	while (more && moved < TURN_BYTES) {
		bool filled = fill(s);
		more = drain(s, &moved) || filled;
	}
	s->run += moved;
	if (moved)
		s->events.moved(s->arg, moved);
	if (s->write_code)
		finish_write(s);
	else if (s->ended && s->in_pipe == 0)
		finish_read(s);
	else if (more)
		loop_post(stream_loop(s->from), &s->task, on_run);
	else
		rest(s);
}

static void wake(struct splice *s)
{
	if (!task_posted(&s->task))
		loop_post(stream_loop(s->from), &s->task, on_run);
}

static void on_readable(void *arg)
{
	struct splice *s = arg;
	s->readable = true;
	wake(s);
}

static void on_writable(void *arg)
{
	struct splice *s = arg;
	s->writable = true;
	if (s->in_pipe)
		wake(s);
}

struct splice *splice_start(struct splice_pool *pool, struct stream *from, struct stream *to,
			    const struct splice_events *events, void *arg)
{
	from = stream_through(from, STREAM_IN);
	to = stream_through(to, STREAM_OUT);
	CHECK(from && to);
	if (fd_stream_fd(from) < 0 || fd_stream_fd(to) < 0)
		return NULL;
	struct splice *s = mem_zero(sizeof *s);
	*s = (struct splice){.pool = pool,
			     .from = from,
			     .to = to,
			     .readable = true,
			     .writable = true,
			     .events = *events,
			     .arg = arg};
	if (!fd_stream_tap(from, STREAM_IN, on_readable, s)) {
		free(s);
		return NULL;
	}
	if (!fd_stream_tap(to, STREAM_OUT, on_writable, s)) {
		fd_stream_untap(from, STREAM_IN);
		free(s);
		return NULL;
	}
	wake(s);
	return s;
}

#include "net/connect.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/fd_stream.h"

struct connect {
	struct loop *loop;
	struct sockaddr_any to;
	const char *name;      /* borrowed */
	struct stream *stream; /* owned; NULL: none, or not any more */
	struct task done;
	int result; /* errno, 0 when connected */
	connect_fn *fn;
	void *arg;
};

static void attempt(struct connect *c);

static void drop(struct connect *c)
{
	stream_close(c->stream);
	c->stream = NULL;
}

static bool may_be_behind_host(const struct connect *c)
{
	int code = c->result;
	return c->to.sa.sa_family == AF_VSOCK && !(c->to.vm.svm_flags & VMADDR_FLAG_TO_HOST) &&
	       (code == ENODEV || code == ENETUNREACH || code == ECONNRESET || code == ETIMEDOUT);
}

static void on_done(struct task *t)
{
	struct connect *c = container_of(t, struct connect, done);
	struct connect over = *c;
	struct error err;
	if (c->result == 0) {
		free(c);
		over.fn(over.arg, over.stream, NULL);
		return;
	}
	drop(c);
	if (may_be_behind_host(c)) {
		c->to.vm.svm_flags |= VMADDR_FLAG_TO_HOST;
		attempt(c);
		return;
	}
	free(c);
	error_errno(&err, over.result, "connect");
	over.fn(over.arg, NULL, &err);
}

static void finish(struct connect *c, int code)
{
	c->result = code;
	loop_post(c->loop, &c->done, on_done);
}

static void on_writable(void *arg)
{
	struct connect *c = arg;
	int code = fd_stream_connected(c->stream);
	if (code == EINPROGRESS)
		return;
	fd_stream_untap(c->stream, STREAM_OUT);
	finish(c, code);
}

static void attempt(struct connect *c)
{
	int family = c->to.sa.sa_family, fd = socket_open(family, NULL);
	if (fd < 0) {
		finish(c, errno);
		return;
	}
	socket_tune(fd, family);
	int code = connect(fd, &c->to.sa, c->to.len) == 0 ? 0 : errno;
	if (code == EINTR)
		code = EINPROGRESS; /* it goes on in the background all the same */
	if (code != 0 && code != EINPROGRESS) {
		close(fd);
		finish(c, code);
		return;
	}
	c->stream = fd_stream_new(c->loop, fd, family, code ? FD_CONNECTING : FD_CONNECTED, c->name, NULL);
	if (!c->stream)
		finish(c, ENOBUFS);
	else if (code == 0)
		finish(c, 0);
	else
		CHECK(fd_stream_tap(c->stream, STREAM_OUT, on_writable, c));
}

struct connect *connect_start(struct loop *l, const struct sockaddr_any *to, const char *name, connect_fn *fn,
			      void *arg)
{
	struct connect *c = mem_zero(sizeof *c);
	*c = (struct connect){.loop = l, .to = *to, .name = name, .fn = fn, .arg = arg};
	attempt(c);
	return c;
}

void connect_cancel(struct connect *c)
{
	task_cancel(&c->done);
	drop(c);
	free(c);
}

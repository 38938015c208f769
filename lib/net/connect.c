#include "net/connect.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

struct connect {
	struct loop *loop;
	struct sockaddr_any to;
	struct watch watch; /* fd: the socket; -1: none */
	bool watched;	    /* not when it was connected at once, as unix sockets are */
	struct task done;
	int result; /* errno, 0 when connected */
	connect_fn *fn;
	void *arg;
};

static void attempt(struct connect *c);

static int take_socket(struct connect *c)
{
	int fd = c->watch.fd;
	if (c->watched)
		loop_unwatch(c->loop, &c->watch);
	c->watched = false;
	c->watch.fd = -1;
	return fd;
}

static void drop_socket(struct connect *c)
{
	if (c->watch.fd < 0)
		return;
	int fd = take_socket(c);
	close(fd);
}

static void on_done(struct task *t)
{
	struct connect *c = container_of(t, struct connect, done);
	connect_fn *fn = c->fn;
	void *arg = c->arg;
	struct error err;
	int fd = -1;
	if (c->result == 0) {
		fd = take_socket(c);
		socket_tune(fd, c->to.sa.sa_family);
	} else {
		error_errno(&err, c->result, "connect");
		drop_socket(c);
	}
	bool failed = c->result != 0;
	free(c);
	fn(arg, fd, failed ? &err : NULL);
}

static bool may_be_behind_host(int code)
{
	return code == ENODEV || code == ENETUNREACH || code == ECONNRESET || code == ETIMEDOUT;
}

static void finish(struct connect *c, int code)
{
	if (c->to.sa.sa_family == AF_VSOCK && may_be_behind_host(code) &&
	    !(c->to.vm.svm_flags & VMADDR_FLAG_TO_HOST)) {
		c->to.vm.svm_flags |= VMADDR_FLAG_TO_HOST;
		drop_socket(c);
		attempt(c);
		return;
	}
	c->result = code;
	loop_post(c->loop, &c->done, on_done);
}

static void on_edge(struct watch *w, unsigned events)
{
	struct connect *c = container_of(w, struct connect, watch);
	if (!(events & WATCH_OUT) || task_posted(&c->done))
		return;
	int code = 0;
	socklen_t n = sizeof code;
	getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &code, &n);
	struct sockaddr_storage peer;
	n = sizeof peer;
	if (code == 0 && getpeername(w->fd, (struct sockaddr *)&peer, &n) != 0)
		return; /* the edge of a socket that is not connecting yet */
	finish(c, code);
}

static void attempt(struct connect *c)
{
	int fd = socket_open(c->to.sa.sa_family, NULL);
	if (fd < 0) {
		finish(c, errno);
		return;
	}
	int code = connect(fd, &c->to.sa, c->to.len) == 0 ? 0 : errno;
	if (code == EINTR)
		code = EINPROGRESS; /* it goes on in the background all the same */
	c->watch.fd = fd;
	if (code == EINPROGRESS) {
		c->watched = loop_watch_both(c->loop, &c->watch, fd, on_edge, NULL);
		if (c->watched)
			return;
		code = ENOBUFS;
	}
	if (code != 0)
		drop_socket(c);
	finish(c, code);
}

struct connect *connect_start(struct loop *l, const struct sockaddr_any *to, connect_fn *fn, void *arg)
{
	struct connect *c = mem_zero(sizeof *c);
	*c = (struct connect){.loop = l, .to = *to, .watch.fd = -1, .fn = fn, .arg = arg};
	attempt(c);
	return c;
}

void connect_cancel(struct connect *c)
{
	task_cancel(&c->done);
	drop_socket(c);
	free(c);
}

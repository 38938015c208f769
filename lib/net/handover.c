#include "net/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/fd_stream.h"

/* Taken in one go before others get their turn. */
#define BATCH 16

struct handover {
	unsigned count;
	struct {
		int give, take;
	} of[];
};

struct handover_end {
	struct loop *loop;
	struct watch watch;
	struct task again;
	handover_fn *fn;
	void *arg;
};

/* One of these is a message, and a descriptor comes with it. Both sides are the same executable. */
struct message {
	int family;
	uint32_t length;
	char note[HANDOVER_NOTE];
};

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- giving ---- */

static bool post(int to, const struct message *m, int fd)
{
	union control control = {.bytes = {0}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof *m};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof control.bytes};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	ssize_t n;
	do
		n = sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof *m;
}

bool handover_give(struct handover *h, unsigned worker, struct stream *s, struct span note)
{
	struct message m = {.length = (uint32_t)note.n};
	CHECK(worker < h->count && note.n <= sizeof m.note);
	int fd = fd_stream_socket(s, &m.family);
	if (fd < 0 || stream_ready(s))
		return false;
	memcpy(m.note, note.p, note.n);
	if (!post(h->of[worker].give, &m, fd))
		return false;
	stream_close(s); /* our descriptor: the connection lives on in the message */
	return true;
}

/* ---- taking ---- */

/* False: there is nothing more now. */
static bool take_one(struct handover_end *e)
{
	struct message m;
	union control control;
	struct iovec iov = {.iov_base = &m, .iov_len = sizeof m};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof control.bytes};
	ssize_t n = recvmsg(e->watch.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EINTR;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	/* Without one we are out of descriptors: the kernel has closed it, and its peer sees that. */
	if (n != (ssize_t)sizeof m || !c || c->cmsg_type != SCM_RIGHTS)
		return n > 0;
	CHECK(m.length <= sizeof m.note);
	int fd;
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	struct stream *s = fd_stream_new(e->loop, fd, m.family, FD_ACCEPTED, "handed over", NULL);
	if (s)
		e->fn(e->arg, s, (struct span){m.note, m.length});
	return true;
}

static void on_again(struct task *t)
{
	struct handover_end *e = container_of(t, struct handover_end, again);
	for (int i = 0; i < BATCH; i++)
		if (!take_one(e))
			return;
	loop_post(e->loop, &e->again, on_again);
}

static void on_edge(struct watch *w, unsigned events)
{
	struct handover_end *e = container_of(w, struct handover_end, watch);
	(void)events;
	if (!task_posted(&e->again))
		loop_post(e->loop, &e->again, on_again);
}

struct handover_end *handover_listen(struct handover *h, struct loop *l, unsigned worker, handover_fn *fn,
				     void *arg, struct error *err)
{
	CHECK(worker < h->count);
	struct handover_end *e = mem_zero(sizeof *e);
	*e = (struct handover_end){.loop = l, .fn = fn, .arg = arg};
	if (loop_watch(l, &e->watch, h->of[worker].take, WATCH_IN, on_edge, err))
		return e;
	free(e);
	return NULL;
}

void handover_stop(struct handover_end *e)
{
	if (!e)
		return;
	task_cancel(&e->again);
	loop_unwatch(e->loop, &e->watch);
	free(e);
}

/* ---- life ---- */

struct handover *handover_new(unsigned workers)
{
	struct handover *h = mem_zero(sizeof *h + workers * sizeof h->of[0]);
	h->count = workers;
	for (unsigned i = 0; i < workers; i++) {
		int pair[2];
		CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
		h->of[i].give = pair[0];
		h->of[i].take = pair[1];
	}
	return h;
}

void handover_free(struct handover *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->count; i++) {
		close(h->of[i].give);
		close(h->of[i].take);
	}
	free(h);
}

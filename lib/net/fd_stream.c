/*
 * Reads and writes are tried at once; only when the kernel says EAGAIN is there something
 * to wait for, and then the edge-triggered watch reports it. The descriptor is entered into
 * the loop's epoll set when the stream is made, and touched again only when a write has to wait for
 * the first time: a request costs a read and a write and no epoll_ctl.
 */
#include "net/fd_stream.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <stdio.h>

#include "base/mem.h"
#include "net/stream_impl.h"

/*
 * AF_VSOCK: no single write above 28 KiB. Larger ones were silently corrupted on Nitro
 * (field reports; linux commit 6693731487a8 bounds the packet the same way).
 */
#define VSOCK_WRITE_MAX ((size_t)28 * 1024)

struct fd_stream {
	struct stream base;
	struct watch watch;
	int family;
	bool drained; /* nothing to read until the next edge */
	bool hup;     /* the peer has ended: read to the end without waiting for edges */
	bool blocked; /* nothing can be written until the next edge */
	bool writes_watched;
	bool end_required; /* stream_require_end */
	struct {
		void (*fn)(void *arg);
		void *arg;
	} tap[2]; /* by enum stream_side; fn NULL: none */
};

static const struct stream_ops fd_ops;

static struct fd_stream *of(struct stream *s)
{
	return container_of(s, struct fd_stream, base);
}

/*
 * The peer has closed, and not only ended its direction: then the kernel refuses even to send nothing, on
 * unix sockets and AF_VSOCK (TCP does not tell before it is too late). If it has our end that is how it
 * should be.
 */
static bool broke_off(const struct fd_stream *f)
{
	return f->end_required && !f->base.wr.ended &&
	       send(f->watch.fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != EINTR;
}

static void try_read(struct fd_stream *f)
{
	struct block *b = block_get(loop_blocks(f->base.loop));
	size_t room = block_free_room(b);
	ssize_t n;
	do
		n = recv(f->watch.fd, b->data, room, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		b->len = (size_t)n;
		/*
		 * A short read has emptied the socket, and what comes later makes a new edge; an end
		 * that came with these bytes does not, hence `hup`. AF_VSOCK is not trusted with it.
		 */
		f->drained = (size_t)n < room && !f->hup && f->family != AF_VSOCK;
		stream_read_done(&f->base, b, NULL);
		return;
	}
	int code = n < 0 ? errno : broke_off(f) ? ECONNRESET : 0; /* errno is another call's, behind an end */
	block_put(b);
	if (code == 0) {
		stream_read_done(&f->base, NULL, NULL);
	} else if (code == EAGAIN || code == EWOULDBLOCK) {
		f->drained = true;
	} else {
		struct error err;
		error_errno(&err, code, "reading from %s", f->base.name);
		stream_read_done(&f->base, NULL, &err);
	}
}

static void fd_read(struct stream *s)
{
	struct fd_stream *f = of(s);
	if (!f->drained)
		try_read(f);
}

static ssize_t send_spans(struct fd_stream *f, size_t *asked)
{
	struct stream *s = &f->base;
	struct iovec iov[STREAM_MAX_SPANS];
	size_t left = f->family == AF_VSOCK ? VSOCK_WRITE_MAX : SIZE_MAX, count = 0;
	*asked = 0;
	for (; count < s->wr.count && left; count++) {
		size_t n = s->wr.v[count].n < left ? s->wr.v[count].n : left;
		iov[count] = (struct iovec){.iov_base = (void *)(uintptr_t)s->wr.v[count].p, .iov_len = n};
		left -= n;
		*asked += n;
	}
	if (count == 1)
		return send(f->watch.fd, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL);
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
	return sendmsg(f->watch.fd, &msg, MSG_NOSIGNAL);
}

static void watch_writes(struct fd_stream *f)
{
	if (!f->writes_watched)
		loop_rewatch(f->base.loop, &f->watch, WATCH_IN | WATCH_OUT);
	f->writes_watched = true;
}

static void try_write(struct fd_stream *f)
{
	struct stream *s = &f->base;
	stream_advance(s, 0); /* empty spans at the front */
	while (s->wr.count) {
		size_t asked;
		ssize_t n = send_spans(f, &asked);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			f->blocked = true;
			watch_writes(f);
			return;
		}
		if (n < 0) {
			struct error err;
			error_errno(&err, errno, "writing to %s", s->name);
			stream_write_done(s, &err);
			return;
		}
		stream_advance(s, (size_t)n);
	}
	stream_write_done(s, NULL);
}

static void fd_write(struct stream *s)
{
	struct fd_stream *f = of(s);
	if (!f->blocked)
		try_write(f);
}

static void fd_shutdown(struct stream *s)
{
	struct fd_stream *f = of(s);
	struct error err;
	if (shutdown(f->watch.fd, SHUT_WR) == 0 || errno == ENOTCONN) {
		stream_write_done(s, NULL);
		return;
	}
	error_errno(&err, errno, "ending %s", s->name);
	stream_write_done(s, &err);
}

static void on_edge(struct watch *w, unsigned events)
{
	struct fd_stream *f = container_of(w, struct fd_stream, watch);
	if (events & WATCH_HUP)
		f->hup = true;
	/* Nothing here runs foreign code (results are posted), so f is still there for the second side. */
	if ((events & WATCH_IN) && f->tap[STREAM_IN].fn) {
		f->tap[STREAM_IN].fn(f->tap[STREAM_IN].arg);
	} else if (events & WATCH_IN) {
		f->drained = false;
		if (stream_wants_read(&f->base))
			try_read(f);
	}
	if ((events & WATCH_OUT) && f->tap[STREAM_OUT].fn) {
		f->tap[STREAM_OUT].fn(f->tap[STREAM_OUT].arg);
	} else if ((events & WATCH_OUT) && f->blocked) {
		f->blocked = false;
		if (stream_wants_write(&f->base))
			try_write(f);
	}
}

static void fd_close(struct stream *s)
{
	struct fd_stream *f = of(s);
	int fd = f->watch.fd;
	loop_unwatch(s->loop, &f->watch);
	close(fd);
	stream_release(s);
	free(f);
}

static void fd_abort(struct stream *s)
{
	struct fd_stream *f = of(s);
	struct linger at_once = {.l_onoff = 1};
	if (f->family == AF_INET || f->family == AF_INET6)
		setsockopt(f->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void fd_require_end(struct stream *s)
{
	of(s)->end_required = true;
}

static const char *fd_transport(const struct stream *s)
{
	const struct fd_stream *f = container_of(s, struct fd_stream, base);
	return f->family == AF_VSOCK ? "vsock" : f->family == AF_UNIX ? "unix" : "tcp";
}

static void fd_peer(const struct stream *s, struct stream_peer *peer)
{
	const struct fd_stream *f = container_of(s, struct fd_stream, base);
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_vm vm;
		struct sockaddr_storage room;
	} a = {0};
	socklen_t n = sizeof a;
	if (getpeername(f->watch.fd, &a.any, &n) != 0)
		return;
	char ip[INET6_ADDRSTRLEN];
	if (f->family == AF_INET) {
		inet_ntop(AF_INET, &a.v4.sin_addr, ip, sizeof ip);
		peer->loopback = (ntohl(a.v4.sin_addr.s_addr) >> 24) == 127;
		snprintf(peer->address, sizeof peer->address, "%s:%u", ip, ntohs(a.v4.sin_port));
	} else if (f->family == AF_INET6) {
		inet_ntop(AF_INET6, &a.v6.sin6_addr, ip, sizeof ip);
		peer->loopback = IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr);
		snprintf(peer->address, sizeof peer->address, "[%s]:%u", ip, ntohs(a.v6.sin6_port));
	} else if (f->family == AF_VSOCK) {
		peer->cid = a.vm.svm_cid;
		snprintf(peer->address, sizeof peer->address, "cid %u", a.vm.svm_cid);
	} else if (f->family == AF_UNIX) {
		struct ucred cred;
		n = sizeof cred;
		if (getsockopt(f->watch.fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0) {
			peer->uid = cred.uid;
			snprintf(peer->address, sizeof peer->address, "uid %u", cred.uid);
		}
	}
}

static const struct stream_ops fd_ops = {
	.read = fd_read,
	.write = fd_write,
	.shutdown = fd_shutdown,
	.close = fd_close,
	.peer = fd_peer,
	.transport = fd_transport,
	.abort = fd_abort,
	.require_end = fd_require_end,
};

struct stream *fd_stream_new(struct loop *l, int fd, int family, enum fd_birth birth, const char *name,
			     struct error *err)
{
	struct fd_stream *f = mem_zero(sizeof *f);
	f->family = family;
	f->drained = birth != FD_ACCEPTED;
	f->writes_watched = birth == FD_CONNECTING;
	if (!loop_watch(l, &f->watch, fd, f->writes_watched ? WATCH_IN | WATCH_OUT : WATCH_IN, on_edge,
			err)) {
		close(fd);
		free(f);
		return NULL;
	}
	stream_init(&f->base, l, &fd_ops, name);
	return &f->base;
}

/* Edges of writability are free on TCP: there is one only for who was refused a write. On AF_VSOCK they are not. */
static void ignore_writes(struct fd_stream *f)
{
	loop_rewatch(f->base.loop, &f->watch, WATCH_IN);
	f->writes_watched = false;
}

int fd_stream_connected(struct stream *s)
{
	struct fd_stream *f = of(s);
	struct sockaddr_storage peer;
	socklen_t n = sizeof peer, size = sizeof(int);
	int code = 0, fd = f->watch.fd;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
	if (code != 0 || f->family != AF_VSOCK)
		return code;
	if (getpeername(fd, (struct sockaddr *)&peer, &n) != 0)
		return EINPROGRESS; /* not every transport keeps still meanwhile */
	ignore_writes(f);
	return 0;
}

int fd_stream_fd(const struct stream *s)
{
	if (s->ops != &fd_ops)
		return -1;
	const struct fd_stream *f = container_of(s, struct fd_stream, base);
	return f->family == AF_VSOCK ? -1 : f->watch.fd;
}

int fd_stream_socket(const struct stream *s, int *family)
{
	if (s->ops != &fd_ops)
		return -1;
	const struct fd_stream *f = container_of(s, struct fd_stream, base);
	*family = f->family;
	return f->watch.fd;
}

bool fd_stream_tap(struct stream *s, enum stream_side side, void (*fn)(void *arg), void *arg)
{
	CHECK(s->ops == &fd_ops);
	bool busy = side == STREAM_IN ? s->rd.fn || s->rd.got || s->rd.err || s->rd.ended
				      : s->wr.fn || s->wr.err || s->wr.ended;
	if (busy)
		return false;
	struct fd_stream *f = of(s);
	f->tap[side].fn = fn;
	f->tap[side].arg = arg;
	if (side == STREAM_OUT)
		watch_writes(f);
	return true;
}

void fd_stream_untap(struct stream *s, enum stream_side side)
{
	struct fd_stream *f = of(s);
	f->tap[side].fn = NULL;
	if (side == STREAM_IN)
		f->drained = false;
	else
		f->blocked = false;
}

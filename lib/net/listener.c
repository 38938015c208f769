#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/fd_stream.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

/* Accepted in one go before others get their turn. */
#define ACCEPT_BATCH 64

/* Out of descriptors or memory: accepting at once again would spin. */
#define EXHAUSTED_WAIT_MS 100

struct listener {
	struct loop *loop;
	struct watch watch;
	struct task again;    /* more may be waiting in the kernel's queue */
	struct timer recover; /* runs while descriptors are short */
	struct sockaddr_any self;
	dev_t dev; /* of our unix socket, to unlink no other */
	ino_t ino;
	bool paused;
	uint64_t exhausted;
	char name[ADDRESS_TEXT];
	listener_fn *fn;
	void *arg;
};

static void on_again(struct task *t);

static void on_recover(struct timer *t)
{
	struct listener *li = container_of(t, struct listener, recover);
	if (!li->paused && !task_posted(&li->again))
		loop_post(li->loop, &li->again, on_again);
}

/* False when there is nothing more to take now. */
static bool accept_one(struct listener *li)
{
	int fd = accept4(li->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EINTR || errno == ECONNABORTED)
			return true;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			li->exhausted++;
			timer_start(li->loop, &li->recover, EXHAUSTED_WAIT_MS, on_recover);
		}
		return false;
	}
	socket_tune(fd, li->self.sa.sa_family);
	struct stream *s = fd_stream_new(li->loop, fd, li->name, NULL);
	if (s)
		li->fn(li->arg, s);
	return true;
}

static void on_again(struct task *t)
{
	struct listener *li = container_of(t, struct listener, again);
	for (int i = 0; i < ACCEPT_BATCH; i++)
		if (li->paused || timer_active(&li->recover) || !accept_one(li))
			return;
	loop_post(li->loop, &li->again, on_again);
}

static void on_edge(struct watch *w, unsigned events)
{
	(void)events;
	struct listener *li = container_of(w, struct listener, watch);
	if (!li->paused && !task_posted(&li->again))
		loop_post(li->loop, &li->again, on_again);
}

void listener_pause(struct listener *li)
{
	li->paused = true;
}

void listener_resume(struct listener *li)
{
	if (!li->paused)
		return;
	li->paused = false;
	if (!task_posted(&li->again))
		loop_post(li->loop, &li->again, on_again);
}

/* ---- unix sockets that are there already ---- */

static bool answered(const struct sockaddr_any *to)
{
	int fd = socket_open(AF_UNIX, NULL);
	if (fd < 0)
		return true; /* not known to be dead */
	bool dead = connect(fd, &to->sa, to->len) != 0 && errno == ECONNREFUSED;
	close(fd);
	return !dead;
}

static bool clear_stale(const struct sockaddr_any *self, struct error *err)
{
	struct stat st;
	const char *path = self->un.sun_path;
	if (lstat(path, &st) != 0)
		return true;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERR_CONFIG, "%s exists and is no socket", path);
	if (st.st_uid != geteuid())
		return error_set(err, ERR_CONFIG, "%s is another user's socket", path);
	if (answered(self))
		return error_set(err, ERR_CONFIG, "%s is in use by another process", path);
	unlink(path);
	return true;
}

/* ---- life ---- */

static void name_it(struct listener *li, const struct address *a)
{
	char ip[INET6_ADDRSTRLEN];
	if (a->kind == ADDRESS_TCP && li->self.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &li->self.v4.sin_addr, ip, sizeof ip);
		snprintf(li->name, sizeof li->name, "tcp:%s:%u", ip, ntohs(li->self.v4.sin_port));
	} else if (a->kind == ADDRESS_TCP) {
		inet_ntop(AF_INET6, &li->self.v6.sin6_addr, ip, sizeof ip);
		snprintf(li->name, sizeof li->name, "tcp:[%s]:%u", ip, ntohs(li->self.v6.sin6_port));
	} else {
		snprintf(li->name, sizeof li->name, "%s", a->text);
	}
}

/* A listening socket on self; -1 with err. */
static int open_listening(const struct sockaddr_any *self, struct error *err)
{
	int on = 1, family = self->sa.sa_family;
	if (family == AF_UNIX && !clear_stale(self, err))
		return -1;
	int fd = socket_open(family, err);
	if (fd < 0)
		return -1;
	if (family == AF_INET || family == AF_INET6)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	mode_t old = umask(0177);
	int rc = bind(fd, &self->sa, self->len);
	umask(old);
	if (rc == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error_errno(err, errno, "bind");
	close(fd);
	return -1;
}

struct listener *listener_start(struct loop *l, const struct address *a, listener_fn *fn, void *arg,
				struct error *err)
{
	struct sockaddr_any self;
	if (!socket_address(a, true, &self)) {
		error_set(err, ERR_CONFIG, "cannot listen on %s: give an IP address, not a name", a->text);
		return NULL;
	}
	int fd = open_listening(&self, err);
	if (fd < 0) {
		error_wrap(err, "cannot listen on %s", a->text);
		return NULL;
	}
	struct listener *li = listener_adopt(l, fd, a->text, fn, arg, err);
	if (!li)
		return NULL;
	struct stat st;
	if (self.sa.sa_family == AF_UNIX && lstat(self.un.sun_path, &st) == 0) {
		li->dev = st.st_dev;
		li->ino = st.st_ino;
	}
	name_it(li, a);
	return li;
}

struct listener *listener_adopt(struct loop *l, int fd, const char *name, listener_fn *fn, void *arg,
				struct error *err)
{
	struct listener *li = mem_zero(sizeof *li);
	li->loop = l;
	li->fn = fn;
	li->arg = arg;
	snprintf(li->name, sizeof li->name, "%s", name);
	li->self.len = sizeof li->self.un;
	getsockname(fd, &li->self.sa, &li->self.len);
	if (!loop_watch(l, &li->watch, fd, on_edge, err)) {
		close(fd);
		free(li);
		return NULL;
	}
	return li;
}

void listener_stop(struct listener *li)
{
	struct stat st;
	int fd = li->watch.fd;
	task_cancel(&li->again);
	timer_stop(li->loop, &li->recover);
	loop_unwatch(li->loop, &li->watch);
	close(fd);
	if (li->ino && lstat(li->self.un.sun_path, &st) == 0 && st.st_dev == li->dev && st.st_ino == li->ino)
		unlink(li->self.un.sun_path);
	free(li);
}

const char *listener_name(const struct listener *li)
{
	return li->name;
}

const struct sockaddr_any *listener_address(const struct listener *li)
{
	return &li->self;
}

uint64_t listener_exhausted(const struct listener *li)
{
	return li->exhausted;
}

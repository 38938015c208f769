#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/fd_stream.h"

/* Accepted in one go before others get their turn. */
#define ACCEPT_BATCH 64

/* Out of descriptors or memory: accepting at once again would spin. */
#define EXHAUSTED_WAIT_MS 100

/* For a process whose turn it is to take a connection before others do. */
#define GRACE_MS 5

struct listener {
	struct loop *loop;
	struct watch watch;
	struct task again;    /* more may be waiting in the kernel's queue */
	struct timer recover; /* runs while descriptors are short */
	struct timer grace;   /* runs while others have their turn */
	struct listening socket;
	struct sockaddr_any self;
	bool paused;
	uint64_t exhausted;
	listener_fn *fn;
	void *arg;
	bool (*turn)(void *arg); /* NULL: always ours */
	void *turn_arg;
};

static void on_again(struct task *t);

static void look_again(struct listener *li)
{
	if (!li->paused && !task_posted(&li->again))
		loop_post(li->loop, &li->again, on_again);
}

static void on_recover(struct timer *t)
{
	look_again(container_of(t, struct listener, recover));
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
	struct stream *s =
		fd_stream_new(li->loop, fd, li->self.sa.sa_family, FD_ACCEPTED, li->socket.name, NULL);
	if (s)
		li->fn(li->arg, s);
	return true;
}

/* One alone: who was busy a moment ago may have his turn again. */
static void on_grace_over(struct timer *t)
{
	struct listener *li = container_of(t, struct listener, grace);
	if (!li->paused && !timer_active(&li->recover) && accept_one(li))
		look_again(li);
}

static bool our_turn(struct listener *li)
{
	if (!li->turn || li->turn(li->turn_arg))
		return true;
	if (!timer_active(&li->grace))
		timer_start(li->loop, &li->grace, GRACE_MS, on_grace_over);
	return false;
}

static void on_again(struct task *t)
{
	struct listener *li = container_of(t, struct listener, again);
	for (int i = 0; i < ACCEPT_BATCH; i++)
		if (li->paused || timer_active(&li->recover) || !our_turn(li) || !accept_one(li))
			return;
	look_again(li);
}

static void on_edge(struct watch *w, unsigned events)
{
	(void)events;
	look_again(container_of(w, struct listener, watch));
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
	look_again(li);
}

/* ---- life ---- */

struct listener *listener_start(struct loop *l, const struct address *a, listener_fn *fn, void *arg,
				struct error *err)
{
	struct listening socket;
	return listening_open(&socket, a, err) ? listener_new(l, &socket, fn, arg, err) : NULL;
}

struct listener *listener_new(struct loop *l, struct listening *socket, listener_fn *fn, void *arg,
			      struct error *err)
{
	struct listener *li = mem_zero(sizeof *li);
	li->loop = l;
	li->fn = fn;
	li->arg = arg;
	li->socket = *socket;
	li->self.len = sizeof li->self.un;
	getsockname(socket->fd, &li->self.sa, &li->self.len);
	socket_tune_listening(socket->fd, li->self.sa.sa_family); /* accepted ones take after it */
	if (!loop_watch(l, &li->watch, socket->fd, WATCH_IN, on_edge, err)) {
		listening_close(socket);
		free(li);
		return NULL;
	}
	return li;
}

void listener_share(struct listener *li, bool (*turn)(void *arg), void *arg)
{
	li->turn = turn;
	li->turn_arg = arg;
}

void listener_stop(struct listener *li)
{
	task_cancel(&li->again);
	timer_stop(li->loop, &li->recover);
	timer_stop(li->loop, &li->grace);
	loop_unwatch(li->loop, &li->watch);
	listening_close(&li->socket);
	free(li);
}

const char *listener_name(const struct listener *li)
{
	return li->socket.name;
}

const struct sockaddr_any *listener_address(const struct listener *li)
{
	return &li->self;
}

uint64_t listener_exhausted(const struct listener *li)
{
	return li->exhausted;
}

#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/loop_impl.h"
#include "base/mem.h"

/*
 * Blocks kept warm: 16 MiB at most stay with an idle loop. A batch of edges has at most LOOP_EVENTS reads and
 * as many writes under way; keeping fewer than that wipes and allocates a block for most requests.
 */
#define BLOCKS_KEPT 256

/*
 * How often the task queue is emptied before the kernel is asked again. One request
 * is a chain of a few tasks (read, parse, write, written), so most chains end within
 * one turn; two streams that feed each other without end still let others in.
 */
#define TASK_ROUNDS 16

static void run_tasks(struct loop *l)
{
	for (int round = 0; round < TASK_ROUNDS && !list_empty(&l->tasks); round++) {
		/* Only what is queued now: a task that posts itself again waits for the next round. */
		struct list mark = {0};
		list_append(&l->tasks, &mark);
		while (l->tasks.next != &mark) {
			struct task *t = container_of(l->tasks.next, struct task, link);
			task_cancel(t);
			t->run(t);
		}
		list_remove(&mark);
	}
}

static void on_no_wait(uv_idle_t *h)
{
	(void)h;
}

/*
 * libuv decides whether it may sleep before it calls anybody: with tasks left over from its last turn it asks
 * the kernel once without waiting, and then once more. So those of a batch of edges are run right behind it.
 */
static void finish_tasks(struct loop *l)
{
	run_tasks(l);
	if (list_empty(&l->tasks))
		uv_idle_stop(&l->no_wait);
	else
		uv_idle_start(&l->no_wait, on_no_wait);
}

static void on_before_poll(uv_prepare_t *h)
{
	finish_tasks(container_of(h, struct loop, before_poll));
}

/* ---- watches ---- */

static unsigned watch_events(uint32_t epoll)
{
	unsigned events = 0;
	if (epoll & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		events |= WATCH_IN;
	if (epoll & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		events |= WATCH_OUT;
	if (epoll & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		events |= WATCH_HUP;
	return events;
}

static void on_edges(uv_poll_t *h, int status, int uv_events)
{
	(void)status;
	(void)uv_events;
	struct loop *l = container_of(h, struct loop, edges);
	int n = epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS, 0);
	l->event_count = n > 0 ? n : 0;
	for (l->event = 0; l->event < l->event_count; l->event++) {
		struct watch *w = l->events[l->event].data.ptr;
		if (w)
			w->fn(w, watch_events(l->events[l->event].events));
	}
	l->event_count = 0;
	finish_tasks(l);
}

#define READ_EDGES (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define ALL_EDGES  (READ_EDGES | EPOLLOUT)

static bool enter(struct loop *l, struct watch *w, int fd, uint32_t edges,
		  void (*fn)(struct watch *w, unsigned events), struct error *err)
{
	struct epoll_event ev = {.events = edges, .data.ptr = w};
	w->fd = fd;
	w->fn = fn;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return error_errno(err, errno, "cannot watch a socket");
	if (l->watches++ == 0)
		uv_ref((uv_handle_t *)&l->edges);
	return true;
}

bool loop_watch(struct loop *l, struct watch *w, int fd, void (*fn)(struct watch *w, unsigned events),
		struct error *err)
{
	return enter(l, w, fd, READ_EDGES, fn, err);
}

bool loop_watch_both(struct loop *l, struct watch *w, int fd, void (*fn)(struct watch *w, unsigned events),
		     struct error *err)
{
	return enter(l, w, fd, ALL_EDGES, fn, err);
}

void loop_watch_writes(struct loop *l, struct watch *w)
{
	struct epoll_event ev = {.events = ALL_EDGES, .data.ptr = w};
	CHECK(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) == 0);
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	struct epoll_event none = {0};
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, &none);
	if (--l->watches == 0)
		uv_unref((uv_handle_t *)&l->edges);
	for (int i = l->event + 1; i < l->event_count; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
	w->fd = -1;
}

/* ---- life ---- */

struct loop *loop_new(void)
{
	struct loop *l = mem_zero(sizeof *l);
	list_init(&l->tasks);
	block_pool_init(&l->blocks, BLOCKS_KEPT);
	CHECK(uv_loop_init(&l->uv) == 0);
	CHECK(uv_prepare_init(&l->uv, &l->before_poll) == 0);
	CHECK(uv_idle_init(&l->uv, &l->no_wait) == 0);
	uv_prepare_start(&l->before_poll, on_before_poll);
	uv_unref((uv_handle_t *)&l->before_poll);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(l->epoll_fd >= 0);
	CHECK(uv_poll_init(&l->uv, &l->edges, l->epoll_fd) == 0);
	uv_poll_start(&l->edges, UV_READABLE, on_edges);
	uv_unref((uv_handle_t *)&l->edges);
	timers_init(l);
	return l;
}

void loop_free(struct loop *l)
{
	CHECK(l->watches == 0);
	CHECK(list_empty(&l->tasks));
	timers_free(l);
	uv_close((uv_handle_t *)&l->before_poll, NULL);
	uv_close((uv_handle_t *)&l->no_wait, NULL);
	uv_close((uv_handle_t *)&l->edges, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT); /* the last jobs and closes */
	CHECK(uv_loop_close(&l->uv) == 0);
	close(l->epoll_fd);
	block_pool_free(&l->blocks);
	free(l);
}

void loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped && (uv_run(&l->uv, UV_RUN_ONCE) || !list_empty(&l->tasks)))
		;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
	uv_stop(&l->uv);
}

struct step {
	struct loop *loop;
	struct timer limit;
};

/* libuv looks at timers before it polls: one that is due already must not leave the poll without an end. */
static void on_step_over(struct timer *t)
{
	uv_stop(&container_of(t, struct step, limit)->loop->uv);
}

bool loop_step(struct loop *l, int wait_ms)
{
	struct step step = {.loop = l};
	if (wait_ms > 0)
		timer_start(l, &step.limit, (uint64_t)wait_ms, on_step_over);
	int more = uv_run(&l->uv, wait_ms > 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
	timer_stop(l, &step.limit);
	return more || !list_empty(&l->tasks);
}

uint64_t loop_now(const struct loop *l)
{
	return uv_now(&l->uv);
}

struct block_pool *loop_blocks(struct loop *l)
{
	return &l->blocks;
}

void loop_post(struct loop *l, struct task *t, void (*run)(struct task *t))
{
	CHECK(!task_posted(t));
	t->run = run;
	list_append(&l->tasks, &t->link);
	uv_idle_start(&l->no_wait, on_no_wait);
}

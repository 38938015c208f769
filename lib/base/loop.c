#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/loop_impl.h"
#include "base/mem.h"

/*
 * Blocks kept warm, for streams whose writes wait. What CHILL_MS have not needed gives its memory back, some
 * blocks at a time, until few are left.
 */
#define BLOCKS_KEPT  256
#define BLOCKS_WARM  8
#define CHILL_MS     1000
#define CHILL_BLOCKS 64

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

static void run_last(struct loop *l)
{
	if (list_empty(&l->last))
		return;
	while (!list_empty(&l->last)) {
		struct list *first = l->last.next;
		list_remove(first);
		list_append(&l->tasks, first);
	}
	run_tasks(l);
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

static struct epoll_event edges_of(struct watch *w, unsigned events)
{
	uint32_t out = events & WATCH_OUT ? EPOLLOUT : 0;
	return (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP | EPOLLET | out, .data.ptr = w};
}

bool loop_watch(struct loop *l, struct watch *w, int fd, unsigned events,
		void (*fn)(struct watch *w, unsigned events), struct error *err)
{
	struct epoll_event ev = edges_of(w, events);
	w->fd = fd;
	w->fn = fn;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return error_errno(err, errno, "cannot watch a socket");
	l->watches++;
	return true;
}

void loop_rewatch(struct loop *l, struct watch *w, unsigned events)
{
	struct epoll_event ev = edges_of(w, events);
	CHECK(epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) == 0);
}

void loop_unwatch(struct loop *l, struct watch *w)
{
	struct epoll_event none = {0};
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, &none);
	l->watches--;
	for (int i = l->event + 1; i < l->event_count; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
	w->fd = -1;
}

/* ---- a turn ---- */

/*
 * Our set is the one that is waited for, and libuv's descriptor is a member of it: libuv's own poll is then
 * only called when a thread has finished, a signal has come, or uv_rouse() said that it has something to set
 * up. The other way round each wake-up would pay two epoll_wait.
 */
void uv_rouse(struct loop *l)
{
	l->uv_due = true;
}

static void run_uv(struct loop *l)
{
	l->uv_due = false;
	uv_run(&l->uv, UV_RUN_NOWAIT);
}

static void read_clock(struct loop *l)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	l->now = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool anything_left(const struct loop *l)
{
	return l->watches || l->jobs || l->timers.count || !list_empty(&l->tasks) || !list_empty(&l->last);
}

/* ---- memory that nobody needs ---- */

static void tend_blocks(struct loop *l)
{
	if (l->chill_at == UINT64_MAX) {
		if (l->blocks.warm_count > BLOCKS_WARM)
			l->chill_at = l->now + CHILL_MS;
	} else if (l->chill_at <= l->now) {
		block_pool_chill(&l->blocks, CHILL_BLOCKS);
		l->chill_at = l->blocks.warm_count > BLOCKS_WARM ? l->now + CHILL_MS : UINT64_MAX;
	}
}

/* How long to wait: until the first timer; not at all with tasks left over, or nothing to wait for. */
static int patience(const struct loop *l, int limit_ms)
{
	if (l->stopped || !list_empty(&l->tasks) || !list_empty(&l->last) ||
	    (limit_ms < 0 && !anything_left(l)))
		return 0;
	uint64_t due = timers_next(l);
	if (due > l->chill_at)
		due = l->chill_at;
	if (due == UINT64_MAX)
		return limit_ms;
	uint64_t ms = due > l->now ? due - l->now : 0;
	if (limit_ms >= 0 && ms > (uint64_t)limit_ms)
		return limit_ms;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* Each event to its end before the next one: its bytes are in the cache, and so is its block for the next. */
static void dispatch(struct loop *l, int count)
{
	l->event_count = count;
	for (l->event = 0; l->event < l->event_count; l->event++) {
		struct watch *w = l->events[l->event].data.ptr;
		if (w == UV_MARK(l)) {
			l->uv_due = true;
		} else if (w) {
			w->fn(w, watch_events(l->events[l->event].events));
			run_tasks(l);
		}
	}
	l->event_count = 0;
}

/* limit_ms: at most that long; -1: as long as it takes. */
static void turn(struct loop *l, int limit_ms)
{
	run_tasks(l);
	if (l->uv_due) /* behind the last that could rouse it before the wait */
		run_uv(l);
	run_last(l);
	tend_blocks(l);
	int n = epoll_wait(l->epoll_fd, l->events, LOOP_EVENTS, patience(l, limit_ms));
	read_clock(l);
	dispatch(l, n > 0 ? n : 0);
	if (l->uv_due)
		run_uv(l);
	timers_run(l);
	run_tasks(l);
}

void loop_run(struct loop *l)
{
	l->stopped = false;
	while (!l->stopped && anything_left(l))
		turn(l, -1);
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}

bool loop_step(struct loop *l, int wait_ms)
{
	l->stopped = false;
	/* What tasks do is to be seen before any time passes. */
	turn(l, list_empty(&l->tasks) && list_empty(&l->last) ? wait_ms : 0);
	return anything_left(l);
}

/* ---- life ---- */

static void on_uv_turn(uv_prepare_t *h)
{
	(void)h;
}

struct loop *loop_new(void)
{
	struct loop *l = mem_zero(sizeof *l);
	list_init(&l->tasks);
	list_init(&l->last);
	block_pool_init(&l->blocks, BLOCKS_KEPT);
	CHECK(uv_loop_init(&l->uv) == 0);
	l->uv.data = l;
	/* libuv takes no turn of a loop without active handles, so there is always this one. */
	CHECK(uv_prepare_init(&l->uv, &l->anchor) == 0);
	uv_prepare_start(&l->anchor, on_uv_turn);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(l->epoll_fd >= 0);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = UV_MARK(l)};
	CHECK(epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, uv_backend_fd(&l->uv), &ev) == 0);
	uv_rouse(l);
	l->chill_at = UINT64_MAX;
	read_clock(l);
	return l;
}

void loop_free(struct loop *l)
{
	CHECK(l->watches == 0);
	CHECK(list_empty(&l->tasks) && list_empty(&l->last));
	timers_free(l);
	uv_close((uv_handle_t *)&l->anchor, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT); /* the last jobs and closes */
	CHECK(uv_loop_close(&l->uv) == 0);
	close(l->epoll_fd);
	block_pool_free(&l->blocks);
	free(l);
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
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
}

void loop_post_last(struct loop *l, struct task *t, void (*run)(struct task *t))
{
	CHECK(!task_posted(t));
	t->run = run;
	list_append(&l->last, &t->link);
}

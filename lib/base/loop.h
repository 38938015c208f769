/*
 * One event loop: a thread's worth of connections. Everything mutable hangs off a
 * loop, so that N loops can be N threads.
 *
 * It waits for one edge-triggered epoll set, in which libuv (threads, signals) is one member.
 * libuv's own way to watch a socket is level-triggered and pays an epoll_ctl or two each
 * time interest in it changes; here a descriptor is entered once, and once more if it ever
 * cannot be written, and the steady path is read and write alone.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/block.h"
#include "base/error.h"
#include "base/list.h"

struct loop;

struct loop *loop_new(void);
/* All watches, timers and jobs are gone by now, or this waits for the last jobs. */
void loop_free(struct loop *l);
/* Until loop_stop(), or until nothing is left that could ever happen. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* For tests: what is due now, waiting for events at most wait_ms. False when nothing is left. */
bool loop_step(struct loop *l, int wait_ms);

/* Milliseconds on the monotonic clock, read once a turn. */
uint64_t loop_now(const struct loop *l);
struct block_pool *loop_blocks(struct loop *l);

/* ---- tasks: how callbacks are kept out of the call that causes them ---- */

struct task {
	struct list link;
	void (*run)(struct task *t);
};

void loop_post(struct loop *l, struct task *t, void (*run)(struct task *t));
/* Behind everything else of this turn, just before the kernel is waited for: to do once what many have asked for. */
void loop_post_last(struct loop *l, struct task *t, void (*run)(struct task *t));
static inline void task_cancel(struct task *t)
{
	list_remove(&t->link);
}
static inline bool task_posted(const struct task *t)
{
	return list_linked(&t->link);
}

/* ---- watches: edge-triggered readiness of a descriptor ---- */

enum { WATCH_IN = 1, WATCH_OUT = 2, WATCH_HUP = 4 /* the peer ended its direction, or an error */ };

struct watch {
	int fd;
	void (*fn)(struct watch *w, unsigned events);
};

/*
 * fn is called from the loop on each edge of what is watched: WATCH_IN, or WATCH_IN | WATCH_OUT. WATCH_HUP comes
 * unasked, and with it WATCH_OUT when that is gone for good.
 */
bool loop_watch(struct loop *l, struct watch *w, int fd, unsigned events,
		void (*fn)(struct watch *w, unsigned events), struct error *err);
/*
 * Something else from now on; what is ready is reported at once. WATCH_OUT is only for who has to wait for it: a
 * unix or vsock socket has such an edge each time that its peer reads, and would wake us with every exchange.
 */
void loop_rewatch(struct loop *l, struct watch *w, unsigned events);
/* Before the descriptor is closed. No call comes after it. */
void loop_unwatch(struct loop *l, struct watch *w);

/* ---- timers: one binary heap, no system call to set one ---- */

struct timer {
	uint64_t due;	 /* when it shall fire; 0: off */
	uint64_t queued; /* where it stands in the heap: never later than due */
	uint32_t slot;	 /* 1-based place in the heap; 0: in none */
	void (*fn)(struct timer *t);
};

/* (Re)starts it. Moving a timer later costs nothing: it is re-queued when its old time comes. */
void timer_start(struct loop *l, struct timer *t, uint64_t ms, void (*fn)(struct timer *t));
void timer_stop(struct loop *l, struct timer *t);
static inline bool timer_active(const struct timer *t)
{
	return t->due != 0;
}

/* ---- jobs: blocking work in libuv's thread pool ---- */

struct job;
/*
 * Runs work(arg) in a thread, then done(arg) in the loop. job_abandon: done will not be
 * called; work may still be running, then drop(arg) is called in the loop when it has ended.
 */
struct job *job_start(struct loop *l, void (*work)(void *arg), void (*done)(void *arg), void *arg);
void job_abandon(struct job *j, void (*drop)(void *arg));

/* ---- signals ---- */

struct signal_watch;
struct signal_watch *loop_signal(struct loop *l, int signum, void (*fn)(void *arg), void *arg);
void signal_stop(struct signal_watch *s);

#endif

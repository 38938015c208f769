/* What loop.c, timer.c and job.c share; nobody else includes it. */
#ifndef BASE_LOOP_IMPL_H
#define BASE_LOOP_IMPL_H

#include <sys/epoll.h>
#include <uv.h>

#include "base/loop.h"

#define LOOP_EVENTS 64 /* edges taken from the kernel at a time */

struct timer_heap {
	struct timer **at; /* at[1] is the earliest; owned array of borrowed timers */
	uint32_t count, room;
};

struct loop {
	uv_loop_t uv;	     /* threads and signals */
	uv_prepare_t anchor; /* makes libuv take a turn whenever it is asked to */
	bool uv_due;
	int epoll_fd;
	size_t watches, jobs;			/* they and timers and tasks keep the loop alive */
	struct epoll_event events[LOOP_EVENTS]; /* the batch being dispatched .. */
	int event, event_count;			/* .. and how far it is */
	struct list tasks;
	struct list last; /* tasks that wait for the end of the turn */
	struct timer_heap timers;
	struct block_pool blocks;
	uint64_t chill_at; /* when to look for blocks that nobody needs; UINT64_MAX: few are warm */
	uint64_t now;	   /* ms, monotonic */
	bool stopped;
};

/* Stands for libuv's descriptor where other entries of the set have their watch. */
#define UV_MARK(l) ((void *)&(l)->uv)

/* A handle of libuv was started or closed: it has to take a turn before the kernel is waited for. */
void uv_rouse(struct loop *l);

uint64_t timers_next(const struct loop *l); /* when to look again; UINT64_MAX: never */
void timers_run(struct loop *l);	    /* those that are due */
void timers_free(struct loop *l);

#endif

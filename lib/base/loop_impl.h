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
	uv_timer_t uv;	/* armed for at[1] */
	uint64_t armed; /* 0: not */
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t before_poll; /* runs the tasks */
	uv_idle_t no_wait;	  /* active while tasks are left: libuv then polls without waiting */
	uv_poll_t edges;	  /* our epoll set, as one descriptor of libuv's */
	int epoll_fd;
	size_t watches;
	struct epoll_event events[LOOP_EVENTS]; /* the batch being dispatched .. */
	int event, event_count;			/* .. and how far it is */
	struct list tasks;
	struct timer_heap timers;
	struct block_pool blocks;
	bool stopped;
};

void timers_init(struct loop *l);
void timers_free(struct loop *l); /* to be followed by a turn of the uv loop */

#endif

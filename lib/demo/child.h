/*
 * A role as a child process of ours: this same executable again, with an environment that holds none of our
 * user's settings, its log in a file. It is killed should we die.
 */
#ifndef DEMO_CHILD_H
#define DEMO_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/text_list.h"

struct child {
	const char *role; /* static */
	pid_t pid;	  /* 0: does not run */
};

/* args: its command line, from argv[0] on. log is replaced. From the main thread only: it is its parent. */
bool child_start(struct child *c, const char *role, const struct text_list *args, const char *log,
		 struct error *err);
/* It has ended by itself: once, with wait(2)'s status. */
bool child_ended(struct child *c, int *status);
/* SIGTERM to all that run, time to end, SIGKILL to the rest; returns when they are gone. */
void children_end(struct child *children, size_t count);

#endif

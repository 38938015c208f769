/*
 * Memory that processes share: mapped before they are forked, and a lock for what lies in it.
 *
 * A process may die at any instruction, also while it holds the lock. Who has waited for
 * SHARED_LOCK_PATIENCE_MS takes it over, with word of that: what it guards may be half changed, and it is his
 * to put in order.
 *
 * A process may also be taken over. So nothing in shared memory is a pointer, which is why the lock is no
 * pthread_mutex_t (a robust one is a link of a list), and what is read from there is judged before it is a
 * size or a place.
 */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARED_LOCK_PATIENCE_MS 500 /* what it is held for takes microseconds */

/* Zero bytes, seen by this process and those that it forks from now on. Pages cost nothing until touched. */
void *shared_new(size_t size);
void shared_free(void *p, size_t size); /* for this process; NULL is fine */

struct shared_lock {	 /* lies in shared memory itself; zero at first */
	uint64_t holder; /* 0: nobody */
};

/* Waits for it. False: it is ours, but taken over. */
bool shared_lock_take(struct shared_lock *l);
void shared_lock_give(struct shared_lock *l);

#endif

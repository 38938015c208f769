/*
 * The last lines of the log, kept for somebody who takes them away: the enclave has no console in production.
 * Never waits and never grows: when it is full the oldest lines go, and are counted. Any thread may put,
 * and any process that was forked since the ring was made.
 */
#ifndef BASE_LOG_RING_H
#define BASE_LOG_RING_H

#include <stddef.h>
#include <stdint.h>

struct log_ring;

struct log_ring *log_ring_new(size_t size); /* bytes; at least LOG_LINE_MAX */
void log_ring_free(struct log_ring *r);	    /* NULL is fine */
/* n bytes that end with '\n', at most LOG_LINE_MAX. */
void log_ring_put(void *ring, const char *line, size_t n);
/* Moves whole lines, oldest first, into out: as many as fit. How many bytes; 0: none are there. */
size_t log_ring_take(struct log_ring *r, char *out, size_t room);
uint64_t log_ring_dropped(struct log_ring *r);

#endif

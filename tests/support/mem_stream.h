/*
 * Two joined streams in memory: what is written into one is read from the other.
 *
 * Each direction holds at most `cap` bytes in flight, so a capacity of 1 shows every
 * byte boundary to the code under test, and a write waits until the reader has taken it.
 *
 * A direction can be broken at an exact byte, counted from the start of its life:
 *
 *	mem_cut(s, n)    the reader sees an end behind byte n; what s writes after it is swallowed
 *	mem_fail(s, n)   the reader gets ERR_RESET behind byte n, and so do the writes of s
 *
 * Closing one side gives the other an end (behind what is still in flight) when it
 * reads and ERR_RESET when it writes, as a socket does.
 */
#ifndef TESTS_MEM_STREAM_H
#define TESTS_MEM_STREAM_H

#include "net/stream.h"

void mem_pair(struct loop *l, size_t cap, struct stream **a, struct stream **b);

/* What s sends is broken at byte n. */
void mem_cut(struct stream *s, uint64_t n);
void mem_fail(struct stream *s, uint64_t n);

/* Bytes that s has sent in its life. */
uint64_t mem_sent(struct stream *s);

#endif

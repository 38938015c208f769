#include "base/log_ring.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/shared.h"

struct ring { /* in shared memory */
	struct shared_lock lock;
	size_t start, n; /* n bytes from start on, around the end */
	uint64_t dropped;
	char bytes[];
};

/* The process's own. start and n are the ring's while its lock is held. */
struct log_ring {
	struct ring *shared; /* owned, as far as this process has it */
	char *bytes;
	size_t size, start, n;
};

struct log_ring *log_ring_new(size_t size)
{
	CHECK(size >= LOG_LINE_MAX);
	struct log_ring *r = mem_zero(sizeof *r);
	r->size = size;
	r->shared = shared_new(sizeof *r->shared + size);
	r->bytes = r->shared->bytes;
	return r;
}

void log_ring_free(struct log_ring *r)
{
	if (!r)
		return;
	shared_free(r->shared, sizeof *r->shared + r->size);
	free(r);
}

/* What a process has left half written goes: no line of the others is worth a torn one. */
static void take_lock(struct log_ring *r)
{
	bool whole = shared_lock_take(&r->shared->lock);
	r->start = r->shared->start;
	r->n = r->shared->n;
	if (whole && r->start < r->size && r->n <= r->size)
		return;
	r->start = r->n = 0;
	r->shared->dropped++;
}

static void give_lock(struct log_ring *r)
{
	r->shared->start = r->start;
	r->shared->n = r->n;
	shared_lock_give(&r->shared->lock);
}

/* With its '\n'. */
static size_t first_line(const struct log_ring *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->bytes[(r->start + i) % r->size] == '\n')
			return i + 1;
	return r->n;
}

static void drop(struct log_ring *r, size_t n)
{
	r->start = (r->start + n) % r->size;
	r->n -= n;
}

static void copy_in(struct log_ring *r, const char *p, size_t n)
{
	size_t at = (r->start + r->n) % r->size, now = n < r->size - at ? n : r->size - at;
	memcpy(r->bytes + at, p, now);
	memcpy(r->bytes, p + now, n - now);
	r->n += n;
}

static void copy_out(const struct log_ring *r, char *out, size_t n)
{
	size_t now = n < r->size - r->start ? n : r->size - r->start;
	memcpy(out, r->bytes + r->start, now);
	memcpy(out + now, r->bytes, n - now);
}

void log_ring_put(void *ring, const char *line, size_t n)
{
	struct log_ring *r = ring;
	CHECK(n <= LOG_LINE_MAX);
	take_lock(r);
	while (r->size - r->n < n) {
		drop(r, first_line(r));
		r->shared->dropped++;
	}
	copy_in(r, line, n);
	give_lock(r);
}

size_t log_ring_take(struct log_ring *r, char *out, size_t room)
{
	size_t done = 0, n;
	take_lock(r);
	while (r->n && (n = first_line(r)) <= room - done) {
		copy_out(r, out + done, n);
		drop(r, n);
		done += n;
	}
	give_lock(r);
	return done;
}

uint64_t log_ring_dropped(struct log_ring *r)
{
	take_lock(r);
	uint64_t n = r->shared->dropped;
	give_lock(r);
	return n;
}

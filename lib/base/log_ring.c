#include "base/log_ring.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

struct log_ring {
	pthread_mutex_t lock;
	size_t size, start, n; /* n bytes from start on, around the end */
	uint64_t dropped;
	char bytes[];
};

struct log_ring *log_ring_new(size_t size)
{
	CHECK(size >= LOG_LINE_MAX);
	struct log_ring *r = mem_zero(sizeof *r + size);
	pthread_mutex_init(&r->lock, NULL);
	r->size = size;
	return r;
}

void log_ring_free(struct log_ring *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
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
	pthread_mutex_lock(&r->lock);
	while (r->size - r->n < n) {
		drop(r, first_line(r));
		r->dropped++;
	}
	copy_in(r, line, n);
	pthread_mutex_unlock(&r->lock);
}

size_t log_ring_take(struct log_ring *r, char *out, size_t room)
{
	size_t done = 0, n;
	pthread_mutex_lock(&r->lock);
	while (r->n && (n = first_line(r)) <= room - done) {
		copy_out(r, out + done, n);
		drop(r, n);
		done += n;
	}
	pthread_mutex_unlock(&r->lock);
	return done;
}

uint64_t log_ring_dropped(struct log_ring *r)
{
	pthread_mutex_lock(&r->lock);
	uint64_t n = r->dropped;
	pthread_mutex_unlock(&r->lock);
	return n;
}

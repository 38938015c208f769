/*
 * LD_PRELOAD: makes the n-th allocation from now on fail, and all that follow it. n is an int64 in the file
 * that FAIL_ALLOC names, shared with the test, which sets it while the process runs: each allocation takes
 * one away, and at 0 there is no memory left. Below 0 all is well.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic int64_t *left; /* NULL until it is found: the first allocations come before any constructor */

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);

/* dlsym itself allocates before it can say where calloc is. */
static char early[65536];
static _Atomic size_t early_used;

static void *take_early(size_t size)
{
	size_t at = atomic_fetch_add(&early_used, (size + 15) & ~(size_t)15);
	if (at + size > sizeof early)
		_exit(99);
	return early + at;
}

static int is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof early;
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("FAIL_ALLOC");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *map = mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		left = map;
}

static int fails(void)
{
	if (!left || atomic_load(left) < 0)
		return 0;
	if (atomic_load(left) > 0 && atomic_fetch_sub(left, 1) > 0)
		return 0;
	atomic_store(left, 0);
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	if (!next_malloc)
		next_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	return fails() ? NULL : next_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	static _Thread_local int looking;
	if (!next_calloc && looking)
		return take_early(count * size); /* static memory: zero */
	if (!next_calloc) {
		looking = 1;
		next_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
		looking = 0;
	}
	return fails() ? NULL : next_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	if (!next_realloc)
		next_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
	return fails() ? NULL : next_realloc(old, size);
}

void free(void *p)
{
	static void (*next)(void *);
	if (is_early(p))
		return;
	if (!next)
		next = (void (*)(void *))dlsym(RTLD_NEXT, "free");
	next(p);
}

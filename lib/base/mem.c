#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP_SLACK (4 << 20)
#define HEAP_STEP  (1 << 18)

void mem_tune(void)
{
	mallopt(M_TRIM_THRESHOLD, HEAP_SLACK);
	mallopt(M_TOP_PAD, HEAP_STEP);
}

/* Nothing here may allocate, and no handler may run: neither would find what it needs. */
void mem_exhausted(void)
{
	static const char text[] = "nitroproxy: out of memory\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
	(void)written;
	_exit(MEM_EXHAUSTED_STATUS);
}

static void *checked(void *p)
{
	if (!p)
		mem_exhausted();
	return p;
}

void *mem_alloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *mem_zero(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *mem_resize(void *p, size_t size)
{
	return checked(realloc(p, size ? size : 1));
}

char *mem_text(const char *text)
{
	return text ? mem_text_n(text, strlen(text)) : NULL;
}

char *mem_text_n(const char *p, size_t n)
{
	char *copy = mem_alloc(n + 1);
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

void mem_wipe(void *p, size_t size)
{
	if (size)
		explicit_bzero(p, size);
}

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24 /* linux 5.18; the older one refuses memory that is locked */
#endif

void mem_forget(void *p, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)p, end = start + size;
	uintptr_t first = (start + page - 1) & ~(page - 1), last = end & ~(page - 1);
	if (first >= last || (madvise((void *)first, last - first, MADV_DONTNEED_LOCKED) != 0 &&
			      madvise((void *)first, last - first, MADV_DONTNEED) != 0)) {
		mem_wipe(p, size);
		return;
	}
	mem_wipe(p, first - start);
	mem_wipe((void *)last, end - last);
}

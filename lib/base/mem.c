#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/*
 * Memory: never NULL. When there is none left the process says so and dies;
 * admission limits (connections, heads, blocks) are what keeps it from there.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#define MEM_EXHAUSTED_STATUS 71 /* the process's; EX_OSERR of sysexits.h */

/*
 * Once, before there are threads: what is free at the heap's end goes back to the kernel in pieces of 4 MiB. malloc's own
 * threshold of 128 KiB is less than what some tens of requests come and go with, and each of them would pay for
 * moving the end up and down (measured with 256 clients: a system call and a page fault a request, 12 % of its CPU).
 */
void mem_tune(void);
/* For whoever is told by a library that it has found none. */
_Noreturn void mem_exhausted(void);

void *mem_alloc(size_t size); /* not cleared */
void *mem_zero(size_t size);  /* cleared */
void *mem_resize(void *p, size_t size);
char *mem_text(const char *text);	   /* a copy; NULL gives NULL */
char *mem_text_n(const char *p, size_t n); /* a copy with a 0 behind */
void mem_wipe(void *p, size_t size);	   /* for keys and plaintext; not optimised away */
/* Zeros from now on, like mem_wipe, and whole pages in it cost nothing until they are written again. */
void mem_forget(void *p, size_t size);

#endif

/*
 * A growable byte buffer with its cap given at birth. A write that would pass the
 * cap changes nothing, returns false and marks the buffer, so that a row of writes
 * can be checked once at the end with buf_full().
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct buf {
	char *p; /* owned; NULL while empty */
	size_t n, room, cap;
	bool full; /* a write was refused */
};

void buf_init(struct buf *b, size_t cap);
void buf_free(struct buf *b);  /* ready for use again, same cap */
void buf_clear(struct buf *b); /* keeps the memory */
bool buf_add(struct buf *b, const void *p, size_t n);
bool buf_add_span(struct buf *b, struct span s);
bool buf_add_text(struct buf *b, const char *text);
bool buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool buf_u16(struct buf *b, unsigned v); /* big-endian */
bool buf_u32(struct buf *b, uint32_t v);
bool buf_u64(struct buf *b, uint64_t v);
/* n more bytes, for the caller to fill in; NULL if that would pass the cap. */
char *buf_extend(struct buf *b, size_t n);
void buf_drop(struct buf *b, size_t n); /* the first n bytes */

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){b->p, b->n};
}
static inline bool buf_full(const struct buf *b)
{
	return b->full;
}
/* As C text; stays valid until the next write. */
const char *buf_text(struct buf *b);

#endif

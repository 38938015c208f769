#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/be.h"
#include "base/mem.h"

void buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){.cap = cap};
}

void buf_free(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->room);
	free(b->p);
	buf_init(b, b->cap);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->full = false;
}

/* Room for n more bytes and a 0 behind them. */
static bool reserve(struct buf *b, size_t n)
{
	if (n > b->cap - b->n) {
		b->full = true;
		return false;
	}
	size_t want = b->n + n + 1;
	if (want <= b->room)
		return true;
	size_t room = b->room ? b->room : 64;
	while (room < want)
		room *= 2;
	if (room > b->cap + 1)
		room = b->cap + 1;
	b->p = mem_resize(b->p, room);
	b->room = room;
	return true;
}

char *buf_extend(struct buf *b, size_t n)
{
	if (!reserve(b, n))
		return NULL;
	char *at = b->p + b->n;
	b->n += n;
	return at;
}

bool buf_add(struct buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return false;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	return true;
}

bool buf_add_span(struct buf *b, struct span s)
{
	return buf_add(b, s.p, s.n);
}

bool buf_add_text(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n)) {
		b->full = true;
		return false;
	}
	va_start(ap, fmt);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
	return true;
}

bool buf_u16(struct buf *b, unsigned v)
{
	uint8_t be[2] = {(uint8_t)(v >> 8), (uint8_t)v};
	return buf_add(b, be, sizeof be);
}

bool buf_u32(struct buf *b, uint32_t v)
{
	uint8_t be[4];
	be_put_u32(be, v);
	return buf_add(b, be, sizeof be);
}

bool buf_u64(struct buf *b, uint64_t v)
{
	uint8_t be[8];
	be_put_u64(be, v);
	return buf_add(b, be, sizeof be);
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

const char *buf_text(struct buf *b)
{
	if (!b->p)
		return "";
	b->p[b->n] = '\0';
	return b->p;
}

/* Bytes that belong to somebody else: a pointer and a length, no 0 at the end. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

/* printf("%.*s", SPAN_ARG(s)) */
#define SPAN_ARG(s) (int)(s).n, (s).p

static inline struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static inline bool span_is(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case folded, as field names and schemes want it. */
static inline bool span_is_nocase(struct span a, struct span b)
{
	/* The first letter settles nearly all that are of one length, without a call. */
	return a.n == b.n &&
	       (a.n == 0 || (((a.p[0] ^ b.p[0]) & 0xdf) == 0 && strncasecmp(a.p, b.p, a.n) == 0));
}

static inline bool span_starts(struct span s, struct span with)
{
	return s.n >= with.n && memcmp(s.p, with.p, with.n) == 0;
}

static inline struct span span_from(struct span s, size_t at)
{
	return (struct span){s.p + at, s.n - at};
}

/* Without blanks and tabs at both ends. */
static inline struct span span_trim(struct span s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/*
 * Cuts the part before the first `at` off *rest. Without one it takes all that is left.
 * False when *rest was exhausted (p NULL), so that a loop sees empty last parts too.
 */
static inline bool span_cut(struct span *rest, char at, struct span *part)
{
	if (!rest->p)
		return false;
	const char *hit = rest->n ? memchr(rest->p, at, rest->n) : NULL;
	if (!hit) {
		*part = *rest;
		*rest = (struct span){NULL, 0};
		return true;
	}
	*part = (struct span){rest->p, (size_t)(hit - rest->p)};
	*rest = (struct span){hit + 1, rest->n - part->n - 1};
	return true;
}

#endif

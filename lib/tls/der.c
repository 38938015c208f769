#include "tls/der.h"

#include "base/be.h"

/* The first byte says how long (below 128), or how many bytes that say so follow. */
static bool take_length(struct span *s, size_t *n)
{
	if (!s->n)
		return false;
	uint8_t first = (uint8_t)s->p[0];
	*s = span_from(*s, 1);
	if (first < 0x80) {
		*n = first;
		return true;
	}
	size_t digits = first & 0x7f;
	if (digits < 1 || digits > 3 || digits > s->n || s->p[0] == 0)
		return false;
	*n = be_number(s->p, digits);
	*s = span_from(*s, digits);
	return *n >= 0x80;
}

bool der_next(struct span *rest, unsigned *tag, struct span *content)
{
	struct span s = *rest;
	if (!s.n || (s.p[0] & 0x1f) == 0x1f)
		return false;
	*tag = (uint8_t)s.p[0];
	s = span_from(s, 1);
	size_t n;
	if (!take_length(&s, &n) || n > s.n)
		return false;
	*content = (struct span){s.p, n};
	*rest = span_from(s, n);
	return true;
}

bool der_is(struct span rest, unsigned tag)
{
	return rest.n && (uint8_t)rest.p[0] == tag;
}

bool der_take(struct span *rest, unsigned tag, struct span *content)
{
	unsigned found;
	return der_is(*rest, tag) && der_next(rest, &found, content);
}

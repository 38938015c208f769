#include "base/quote.h"

#include <stdio.h>

/* Length of the well-formed UTF-8 character at p (RFC 3629 section 4), 0 if there is none or it is a C1
 * control. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char first, last, low, high; /* first byte's range, second byte's range */
		size_t length;
	} forms[] = {
		{0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		if (n < forms[i].length || p[1] < forms[i].low || p[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

static const char *short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

size_t quote_json(char *out, size_t room, struct span s, size_t *taken)
{
	size_t at = 0, n = 0;
	while (at < s.n) {
		const unsigned char *p = (const unsigned char *)s.p + at;
		size_t from = 1, to = 1;
		char escape[8];
		const char *piece = (const char *)p;
		if (short_escape(*p)) {
			piece = short_escape(*p);
			to = 2;
		} else if (*p < 0x20 || *p == 0x7f) {
			snprintf(escape, sizeof escape, "\\u%04x", *p);
			piece = escape;
			to = 6;
		} else if (*p >= 0x80) {
			from = to = utf8_length(p, s.n - at);
			if (!from) {
				piece = "\xef\xbf\xbd";
				from = 1;
				to = 3;
			}
		}
		if (to > room - n)
			break;
		memcpy(out + n, piece, to);
		n += to;
		at += from;
	}
	if (taken)
		*taken = at;
	return n;
}

struct quoted quote_clip(struct span s)
{
	struct quoted q;
	size_t taken;
	q.text[0] = '"';
	size_t n = 1 + quote_json(q.text + 1, sizeof q.text - 5, s, &taken);
	q.text[n++] = '"';
	if (taken < s.n) {
		q.text[n++] = '.';
		q.text[n++] = '.';
	}
	q.text[n] = '\0';
	return q;
}

#include "proxy/path.h"

#include <ctype.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* The escape at p, if there is a whole one: its value, else -1. */
static int escape_at(struct span s, size_t at)
{
	if (at + 2 >= s.n || s.p[at] != '%')
		return -1;
	int high = hex_value(s.p[at + 1]), low = hex_value(s.p[at + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Decodes once; objects to every byte that has a second reading by itself. */
static const char *decode(struct span path, struct buf *out)
{
	for (size_t i = 0; i < path.n; i++) {
		bool escaped = path.p[i] == '%';
		int c = escaped ? escape_at(path, i) : (unsigned char)path.p[i];

		if (c < 0)
			return "a broken percent-encoding";
		if (escaped)
			i += 2;
		if (c < 0x20 || c == 0x7f)
			return "a control byte";
		if (c == '\\')
			return "a backslash";
		if (c == ';')
			return "a path parameter";
		if (escaped && c == '/')
			return "an encoded slash";
		if (!escaped && c == '#')
			return "a fragment";
		char byte = (char)c;
		buf_add(out, &byte, 1);
	}
	return NULL;
}

/* 1100000x, 11100000 100xxxxx and 11110000 1000xxxx spell what shorter sequences do. */
static bool has_overlong(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i], next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;
		if (c == 0xc0 || c == 0xc1 || (c == 0xe0 && next >= 0x80 && next < 0xa0) ||
		    (c == 0xf0 && next >= 0x80 && next < 0x90))
			return true;
	}
	return false;
}

static const char *check_segments(struct span path)
{
	struct span rest = span_from(path, 1), segment;

	while (span_cut(&rest, '/', &segment)) {
		if (span_is(segment, SPAN(".")) || span_is(segment, SPAN("..")))
			return "a dot segment";
		if (segment.n == 0 && rest.p)
			return "an empty segment";
	}
	return NULL;
}

const char *path_decode(struct span path, struct buf *out)
{
	const char *query = path.n ? memchr(path.p, '?', path.n) : NULL, *why;
	struct span decoded;

	if (query)
		path.n = (size_t)(query - path.p);
	buf_clear(out);
	if (path.n == 0 || path.p[0] != '/')
		return "no slash in front";
	why = decode(path, out);
	if (why)
		return why;
	if (buf_full(out))
		return "too many bytes";
	decoded = buf_span(out);
	for (size_t i = 0; i < decoded.n; i++)
		if (escape_at(decoded, i) >= 0)
			return "an escape inside an escape";
	if (has_overlong(decoded))
		return "overlong UTF-8";
	return check_segments(decoded);
}

bool path_covers(struct span prefix, struct span path)
{
	if (!span_starts(path, prefix))
		return false;
	return path.n == prefix.n || prefix.p[prefix.n - 1] == '/' || path.p[prefix.n] == '/';
}

void path_encode(struct span decoded, struct buf *out)
{
	for (size_t i = 0; i < decoded.n; i++) {
		unsigned char c = (unsigned char)decoded.p[i];
		if (c < 0x80 && (isalnum(c) || strchr("-._~!$&'()*+,=:@/", c)))
			buf_add(out, &c, 1);
		else
			buf_printf(out, "%%%02X", c);
	}
}

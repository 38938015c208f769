/* A head in the two steps that a connection takes, whole and in part. */
#ifndef UNIT_HTTP_READ_HEAD_H
#define UNIT_HTTP_READ_HEAD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/check.h"
#include "http/parse.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define OK  "HTTP/1.1 200 OK\r\n"

/* In memory of exactly that size, so that the sanitizer sees a byte too far. */
static inline char *exactly(struct span s)
{
	char *p = malloc(s.n ? s.n : 1);
	memcpy(p, s.p, s.n);
	return p;
}

/* The two steps that a connection takes, over n bytes. */
static inline enum head_found step(struct span bytes, enum head_kind kind, enum parse_asked asked,
				   const struct parse_limits *limits, struct head *h, struct error *err)
{
	struct head_scan scan = {0};
	enum head_found found = parse_find_head(&scan, bytes, kind, limits, err);
	if (found != HEAD_WHOLE)
		return found;
	struct span head = {bytes.p + scan.start, scan.end - scan.start};
	bool ok = kind == HEAD_REQUEST ? parse_request_head(head, limits, h, err)
				       : parse_response_head(head, asked, limits, h, err);
	return ok ? HEAD_WHOLE : HEAD_BAD;
}

/*
 * Reads text as a head, and every beginning of it, too: a beginning must never be taken
 * for a whole head, and one of a good head never be refused. ERR_NONE: it is good.
 */
static inline enum error_kind read_head(struct span text, enum head_kind kind, enum parse_asked asked,
					struct head *h)
{
	struct parse_limits limits = PARSE_LIMITS_MAX;
	struct error err;
	enum head_found whole = step(text, kind, asked, &limits, h, &err);
	struct head scratch;

	assert_int_not_equal(whole, HEAD_MORE);
	for (size_t n = 0; n < text.n; n++) {
		char *p = exactly((struct span){text.p, n});
		enum head_found part = step((struct span){p, n}, kind, asked, &limits, &scratch, NULL);
		free(p);
		assert_int_not_equal(part, HEAD_WHOLE);
		if (whole == HEAD_WHOLE)
			assert_int_equal(part, HEAD_MORE);
	}
	/* Byte by byte with one scan it ends at the same place. */
	struct head_scan scan = {0};
	enum head_found found = HEAD_MORE;
	for (size_t n = 1; n <= text.n && found == HEAD_MORE; n++)
		found = parse_find_head(&scan, (struct span){text.p, n}, kind, &limits, NULL);
	if (whole == HEAD_WHOLE) {
		assert_int_equal(found, HEAD_WHOLE);
		assert_int_equal(scan.end, text.n);
	}
	return whole == HEAD_WHOLE ? ERR_NONE : err.kind;
}

#endif

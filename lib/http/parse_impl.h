/* Between the files of parse: nobody else includes this. */
#ifndef HTTP_PARSE_IMPL_H
#define HTTP_PARSE_IMPL_H

#include "http/parse.h"

#define METHOD_MAX 64 /* the longest registered one has 17 */
/* What a request line has beside its target, its CR included. */
#define LINE_REST_MAX (METHOD_MAX + sizeof "  HTTP/1.1")

static inline enum error_kind parse_bad(enum head_kind kind)
{
	return kind == HEAD_REQUEST ? ERR_BAD_REQUEST : ERR_BAD_RESPONSE;
}

static inline enum error_kind parse_too_big(enum head_kind kind)
{
	return kind == HEAD_REQUEST ? ERR_HEAD_SIZE : ERR_RESPONSE_HEAD_SIZE;
}

static inline size_t parse_head_max(const struct parse_limits *limits)
{
	return limits->head_bytes < HEAD_MAX_BYTES ? limits->head_bytes : HEAD_MAX_BYTES;
}

static inline size_t parse_fields_max(const struct parse_limits *limits)
{
	size_t max = HEAD_MAX_FIELDS - HEAD_SPARE_FIELDS;
	return limits->fields < max ? limits->fields : max;
}

static inline bool parse_fits(struct span bytes, enum head_kind kind, const struct parse_limits *limits,
			      struct error *err)
{
	size_t max = parse_head_max(limits);
	return bytes.n <= max ||
	       error_set(err, parse_too_big(kind), "the head is longer than %zu bytes", max);
}

/* parse_line.c: start lines, without their CRLF. They set what they read in h, and nothing else. */
bool parse_request_line(struct span line, size_t target_max, struct head *h, struct error *err);
bool parse_status_line(struct span line, struct head *h, struct error *err);

/* What llhttp takes the framing to be. */
struct parse_view {
	bool chunked, has_length;
	uint64_t length;
};

/*
 * parse_fields.c: field lines and the blank line. Sets h->fields and h->count; h->kind and h->minor are set.
 */
bool parse_fields(struct span bytes, size_t fields_max, struct head *h, struct parse_view *view,
		  struct error *err);

/* parse_framing.c: decides h->framing and h->body_length; all else in h is set. */
bool parse_framing(struct head *h, enum parse_asked asked, const struct parse_view *view, struct error *err);

#endif

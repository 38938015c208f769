/*
 * A message head: start line and fields, in order, duplicates and bytes >= 0x80 kept
 * (RFC 9110 section 5, RFC 9112). The spans point into the bytes it was parsed from,
 * or at texts of whoever built it: a head owns nothing.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/span.h"

#define HEAD_MAX_FIELDS	  128	/* hard cap; settings may ask for less */
#define HEAD_SPARE_FIELDS 8	/* of them: never filled by a peer, kept for Host, Via and the like */
#define HEAD_MAX_BYTES	  49152 /* hard cap; fits a block with room to spare */

struct field {
	struct span name, value; /* value without blanks around it */
	bool parsed;		 /* the parser has checked every byte: the writer need not do it again */
};

enum head_kind { HEAD_REQUEST, HEAD_RESPONSE };

/* How the end of the body is found (RFC 9112 section 6.3). */
enum body_framing {
	BODY_NONE,    /* there is no body */
	BODY_LENGTH,  /* Content-Length: body_length */
	BODY_CHUNKED, /* Transfer-Encoding: chunked */
	BODY_CLOSE,   /* a response that ends with its connection */
	BODY_RAW      /* behind a 101 or a CONNECT's 2xx: bytes both ways until each side ends */
};

struct head {
	enum head_kind kind;
	int minor; /* HTTP/1.minor as received: 0 or 1 */
	/* request */
	struct span method, target; /* target: as on the request line */
	/* response */
	int status; /* 100..999 */
	struct span reason;
	/* body */
	enum body_framing framing;
	uint64_t body_length;
	bool keep_alive;      /* the sender will take another message on this connection */
	bool expect_continue; /* request: Expect: 100-continue */
	bool upgrade;	      /* asks for, or agrees to, one other protocol: see parse.h */

	size_t count;
	uint64_t
		names; /* a bit for each kind of name that was added: most that are asked for are not there */
	struct field fields[HEAD_MAX_FIELDS];
};

void head_init_request(struct head *h, struct span method, struct span target);
void head_init_response(struct head *h, int status, struct span reason);
/* False when there are HEAD_MAX_FIELDS already. Not `parsed`: that is for parse_fields.c to say. */
bool head_add(struct head *h, struct span name, struct span value);
/* Names are compared without regard to case. The first one of that name; NULL when there is none. */
const struct field *head_find_span(const struct head *h, struct span name);
size_t head_count_span(const struct head *h, struct span name);
/* Takes out every field of that name; says how many there were. */
size_t head_remove(struct head *h, const char *name);
bool head_method_idempotent(const struct head *h); /* RFC 9110 section 9.2.2 */
bool head_status_bodyless(int status);		   /* 1xx, 204, 304 */
/*
 * Walks the elements of a list field over all its lines (RFC 9110 section 5.6.1): start with
 * *it zeroed. Elements are trimmed, empty ones left out; commas in quotes are not understood,
 * so this is for lists of tokens.
 */
struct head_list {
	size_t at;	  /* line */
	struct span rest; /* of that line */
};
bool head_list_next_span(const struct head *h, struct span name, struct head_list *it, struct span *element);
bool head_list_has_span(const struct head *h, struct span name, struct span token); /* case-insensitive */

/* The same by C texts: inline, so that the length of a literal is known where it stands. */
static inline const struct field *head_find(const struct head *h, const char *name)
{
	return head_find_span(h, span_of(name));
}
static inline size_t head_count(const struct head *h, const char *name)
{
	return head_count_span(h, span_of(name));
}
static inline bool head_method_is(const struct head *h,
				  const char *method) /* case-sensitive, as methods are */
{
	return span_is(h->method, span_of(method));
}
static inline bool head_list_next(const struct head *h, const char *name, struct head_list *it,
				  struct span *element)
{
	return head_list_next_span(h, span_of(name), it, element);
}
static inline bool head_list_has(const struct head *h, const char *name, const char *token)
{
	return head_list_has_span(h, span_of(name), span_of(token));
}

#endif

/*
 * Bytes to heads, strictly (RFC 9112). What two parsers could read in two ways is an
 * error here: framing is decided once, from the fields as they stand, and must agree
 * with what llhttp makes of them.
 *
 * Two steps. parse_find_head() is fed the bytes as they come and says where the head
 * ends; then, with the whole head in one piece of memory, parse_*_head() reads it in
 * one go. The spans of the head point into those bytes.
 *
 * Errors have no hop yet: the caller knows who sent this. Requests fail with
 * ERR_BAD_REQUEST, ERR_HEAD_SIZE, ERR_URL_SIZE, ERR_VERSION, ERR_EXPECT or
 * ERR_NOT_IMPLEMENTED, responses with ERR_BAD_RESPONSE or ERR_RESPONSE_HEAD_SIZE. After
 * any of them the place of the next message is unknown: the connection is over.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "base/error.h"
#include "http/head.h"

struct parse_limits {
	size_t head_bytes;   /* all of a head; beyond HEAD_MAX_BYTES it counts as that */
	size_t fields;	     /* beyond HEAD_MAX_FIELDS - HEAD_SPARE_FIELDS it counts as that */
	size_t target_bytes; /* of a request line */
};
#define PARSE_LIMITS_MAX                                                                                     \
	((struct parse_limits){HEAD_MAX_BYTES, HEAD_MAX_FIELDS - HEAD_SPARE_FIELDS, HEAD_MAX_BYTES})

/* ---- where a head ends ---- */

enum head_found { HEAD_MORE /* bytes are needed */, HEAD_WHOLE, HEAD_BAD /* err says why */ };

/* Zeroed before the first byte of a message. */
struct head_scan {
	size_t start; /* the head is [start, end): start is 2 if a request came behind an empty line */
	size_t end;   /* set with HEAD_WHOLE; what is behind it is body or the next message */
	size_t seen;  /* so many bytes need not be looked at again */
	bool line_ok; /* the start line has been looked at */
};

/*
 * bytes: all that has come of this message; the first byte is always the same one. What
 * cannot become a head is told as early as it shows (a bare LF, a first line that is
 * none), so that nobody waits for the end of garbage.
 */
enum head_found parse_find_head(struct head_scan *scan, struct span bytes, enum head_kind kind,
				const struct parse_limits *limits, struct error *err);

/* ---- reading it ---- */

/*
 * bytes: one head, [start, end) of the scan: with its blank line, and nothing behind it.
 *
 * Methods and targets are passed as they came: any token, any visible bytes (0x80 and up
 * too) but `#`. A Host field is there exactly once (1.1), or at most once (1.0).
 * A CONNECT has no body; nor may it have framing fields other than Content-Length: 0.
 * h->upgrade: a 1.1 request without body with `Connection: upgrade` and one protocol in
 * Upgrade that is not a version of HTTP or TLS; those would carry the next requests past us.
 */
bool parse_request_head(struct span bytes, const struct parse_limits *limits, struct head *h,
			struct error *err);

/* How an answer is framed depends on what was asked. */
enum parse_asked { ASKED_OTHER, ASKED_HEAD, ASKED_CONNECT };

/*
 * A 1xx other than 101 is BODY_NONE and another head follows it. BODY_RAW behind a 101 (with
 * h->upgrade if its fields say so properly: whether it was asked for, the caller knows)
 * and behind a 2xx to CONNECT. BODY_CLOSE: keep_alive is false, too.
 */
bool parse_response_head(struct span bytes, enum parse_asked asked, const struct parse_limits *limits,
			 struct head *h, struct error *err);

/*
 * The trailer section behind the last chunk: field lines and the blank line. Only fields and
 * count of h are set. kind: whose trailers, which decides the kind of error. Framing and
 * routing fields in it are an error; others that may not stand there (RFC 9110 section
 * 6.5.1) and hop-by-hop ones are left out.
 */
bool parse_trailers(struct span bytes, enum head_kind kind, const struct parse_limits *limits, struct head *h,
		    struct error *err);

/* RFC 9110 section 5.6.2: one or more of the characters that names and methods are made of. */
bool parse_is_token(struct span s);
/* Not empty, without spaces, controls and `#`. */
bool parse_is_target(struct span s);
/* No byte in it that could end a line or be cut at: controls but tab. For field values. */
bool parse_is_value(struct span s);

#endif

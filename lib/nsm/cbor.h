/*
 * CBOR (RFC 8949), the part that NSM messages and attestation documents are made of, read strictly:
 * definite lengths only, every number in its shortest form (section 4.2.1), text that is UTF-8, no
 * floats, and of the simple values false, true and null. One value has one encoding, so that what was
 * signed, compared and shown is the same thing.
 *
 *	 7 6 5 4 3 2 1 0
 *	+-----+---------+----------------- - -
 *	| type|  info   | 0, 1, 2, 4 or 8 bytes of the number, if info is 24..27; then the content
 *	+-----+---------+----------------- - -
 *
 * Reading is in two steps: cbor_check() once over the whole (form, depth, sizes, duplicate keys), then a
 * cursor that asks for the types it expects. The cursor never passes the end and does not depend on the
 * check for its safety. Spans point into the input.
 */
#ifndef NSM_CBOR_H
#define NSM_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

#define CBOR_DEPTH_MAX 8   /* containers and tags within each other */
#define CBOR_COUNT_MAX 256 /* elements of one array, pairs of one map */

enum cbor_type {
	CBOR_UINT = 0, /* the first eight are the major types */
	CBOR_NEGATIVE,
	CBOR_BYTES,
	CBOR_TEXT,
	CBOR_ARRAY,
	CBOR_MAP,
	CBOR_TAG,
	CBOR_SIMPLE,
	CBOR_END, /* nothing left */
};

struct cbor {
	struct span rest;
};

/* Exactly one item that keeps to all of the above, and nothing behind it. NULL, or what is wrong with it. */
const char *cbor_check(struct span in);

static inline struct cbor cbor_open(struct span in)
{
	return (struct cbor){in};
}
static inline bool cbor_at_end(const struct cbor *c)
{
	return c->rest.n == 0;
}

enum cbor_type cbor_peek(const struct cbor *c);

/*
 * Each takes one item (of a container: its head) if it is of that type and well-formed; else nothing moves.
 */
bool cbor_uint(struct cbor *c, uint64_t *value);
bool cbor_int(struct cbor *c, int64_t *value); /* either sign, as far as int64_t goes */
bool cbor_bytes(struct cbor *c, struct span *bytes);
bool cbor_text(struct cbor *c, struct span *text);
bool cbor_array(struct cbor *c, size_t *count);
bool cbor_map(struct cbor *c, size_t *pairs);
bool cbor_tag(struct cbor *c, uint64_t *tag);
bool cbor_bool(struct cbor *c, bool *value);
bool cbor_null(struct cbor *c);
bool cbor_skip(struct cbor *c); /* any one item, if it would pass the check */

/* Writing, in shortest form; whether all of it fitted is told by buf_full(). */
void cbor_put_uint(struct buf *out, uint64_t value);
void cbor_put_int(struct buf *out, int64_t value);
void cbor_put_bytes(struct buf *out, struct span bytes); /* p NULL writes null */
void cbor_put_text(struct buf *out, const char *text);
void cbor_put_text_span(struct buf *out, struct span text);
void cbor_put_array(struct buf *out, size_t count);
void cbor_put_map(struct buf *out, size_t pairs);
void cbor_put_tag(struct buf *out, uint64_t tag);
void cbor_put_bool(struct buf *out, bool value);
void cbor_put_null(struct buf *out);

#endif

/*
 * Heads and chunks to bytes (RFC 9112). Nothing is added to a head here and nothing is
 * left out: fields go out in their order, as they are.
 *
 * A name that is no token or a value with a control byte is refused with ERR_INTERNAL,
 * whoever made it: no line can be smuggled in through a head. ERR_HEAD_SIZE or
 * ERR_RESPONSE_HEAD_SIZE: it does not fit. After an error nothing has been written.
 */
#ifndef HTTP_WRITE_H
#define HTTP_WRITE_H

#include "base/block.h"
#include "base/buf.h"
#include "base/error.h"
#include "http/head.h"

/* Behind what is there already. Always as HTTP/1.1: this is our own version, not the peer's. */
bool write_head(struct buf *out, const struct head *h, struct error *err);
bool write_head_block(struct block *out, const struct head *h, struct error *err);

/* ---- the pieces of a chunked body ---- */

#define WRITE_CRLF SPAN("\r\n")

#define WRITE_LAST_CHUNK SPAN("0\r\n\r\n")
/* Field lines and the blank line, as parse_trailers() reads them. Only the fields of the head count. */
bool write_trailers(struct buf *out, const struct head *trailers, struct error *err);
/* The last chunk with its trailers, or without (NULL). */
bool write_last_chunk(struct buf *out, const struct head *trailers, struct error *err);

#endif

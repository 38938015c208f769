/* The origin's answers as JSON, in the shapes that httpbin and its like have. The caller owns them. */
#ifndef DEMO_ORIGIN_DOCUMENT_H
#define DEMO_ORIGIN_DOCUMENT_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/head.h"

#define DOCUMENT_MAX (1024 * 1024)

/*
 * {"method", "url", "args": {..}, "headers": {..}, "bytes": N, "sha256": hex, "chunked": bool, "data": text,
 * "json": value or null}. body: the first bytes of what was received, all of it if body.n == received;
 * otherwise, or when it is no UTF-8, data is "".
 */
json_t *document_echo(const struct head *request, const char *authority, struct span body, uint64_t received,
		      const uint8_t sha256[32]);
json_t *document_headers(const struct head *request); /* {"headers": {..}}; values of one name by commas */
json_t *document_post(long id);
json_t *document_user(struct span name);
json_t *document_error(const char *why);

/* Takes the document. */
void document_print(json_t *document, struct buf *out);

/* Text of any bytes: what is not UTF-8 is read as ISO 8859-1, as fields were meant in older days. */
json_t *document_text(struct span s);

#endif

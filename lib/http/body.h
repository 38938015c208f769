/*
 * Takes the framing off a body, block by block and in place (RFC 9112 sections 6 and 7): many
 * small chunks that came in one block leave as one run of bytes.
 *
 *	before   |5 CRLF hello CRLF 6 CRLF  world CRLF 0 CRLF CRLF|GET /next ..
 *	after    |hello world|                         *behind:   |GET /next ..
 *
 * Chunk extensions mean nothing to anybody behind us and are left out.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base/block.h"
#include "base/buf.h"
#include "http/parse.h"

#define BODY_EXTENSIONS_MAX 4096  /* bytes of chunk extensions in one body */
#define BODY_TRAILERS_MAX   16384 /* bytes of trailers; the head's own limit holds, too */

enum body_result {
	BODY_MORE, /* the body goes on */
	BODY_END,  /* it is complete */
	BODY_BAD   /* err: ERR_BAD_REQUEST or ERR_BAD_RESPONSE, or trailers that are too big */
};

struct body {
	enum head_kind kind;
	struct parse_limits limits;
	enum body_framing framing;
	bool ended;
	uint64_t left;	       /* of the length, or of this chunk */
	uint8_t state;	       /* enum chunk_state in body_chunked.c */
	uint8_t digits;	       /* of the chunk size */
	size_t extensions;     /* bytes so far */
	struct buf raw;	       /* trailer lines as they come */
	struct head *trailers; /* owned; NULL: there are none */
};

/* From h are taken: kind, framing and body_length. Not for BODY_RAW. A BODY_NONE has ended from the start. */
void body_init(struct body *body, const struct head *h, const struct parse_limits *limits);
void body_free(struct body *body);

/*
 * Eats b. Afterwards b holds the body bytes that were in it (maybe none), also with BODY_BAD,
 * when they are what came before the fault. What is behind the end of the message is put into
 * *behind, a block of its own from the same pool; else *behind is NULL. Both are the caller's.
 *
 * BODY_CLOSE never ends here: its end is the end of the stream. For the others an end of the
 * stream without BODY_END is a body that was cut.
 */
enum body_result body_feed(struct body *body, struct block *b, struct block **behind, struct error *err);

/* After BODY_END; NULL when there are none. Valid until body_free. */
const struct head *body_trailers(const struct body *body);

#endif

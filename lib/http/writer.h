/*
 * Writes HTTP/1.1 messages into a stream from parts (leg.h): what comes in one part leaves
 * in one write, head, chunk framing and end included.
 */
#ifndef HTTP_WRITER_H
#define HTTP_WRITER_H

#include "base/buf.h"
#include "http/leg.h"
#include "net/stream.h"

struct writer {
	struct stream *stream; /* borrowed */
	bool begun;	       /* a final head was written */
	bool done;	       /* .. and the end of the message */
	enum body_framing framing;
	uint64_t left;	     /* of BODY_LENGTH */
	uint64_t body_bytes; /* of this message so far, framing not counted */
	struct block *head;  /* the head's bytes while they are being written */
	char chunk[24];	     /* the size line */
	struct buf last;     /* a last chunk with trailers */
	bool shutdown_next;  /* the end of this message is the end of our direction */
	struct task refuse;
	struct error *err; /* owned; why: not kept by value, for most of a connection's life there is none */
	leg_send_fn *fn;
	void *arg;
};

void writer_init(struct writer *w, struct stream *s);
void writer_free(struct writer *w);
void writer_next(struct writer *w); /* before the next message */
/* From now on bytes go as they are, and the end is the end of our direction. */
void writer_go_raw(struct writer *w);

/* The hop-by-hop field that says how h is framed: Transfer-Encoding, for a chunked body. */
void writer_add_framing(struct head *h);

/*
 * Sends part; head (which may differ from part->head) is what is written for it, NULL for none.
 * Its framing is how the body is sent. Data that would pass a Content-Length, or an end before
 * it, fails with ERR_INTERNAL: the message is then broken off.
 */
void writer_send(struct writer *w, const struct head *head, const struct part *part, leg_send_fn *fn,
		 void *arg);

#endif

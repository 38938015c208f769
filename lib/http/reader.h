/*
 * Reads HTTP/1.1 messages from a stream, one after the other, as parts (leg.h).
 * A connection between two messages holds no buffer and no head.
 *
 * One message:   [head [data]*]  behind 1xx: again   end
 *
 * After the end, what follows on the connection stays in the stream. reader_watch then
 * waits for the peer to say something or to go away, without taking anything.
 */
#ifndef HTTP_READER_H
#define HTTP_READER_H

#include "http/body.h"
#include "http/leg.h"
#include "http/parse.h"
#include "net/stream.h"

enum reader_state {
	READER_HEAD, /* before or in a head */
	READER_BODY,
	READER_RAW, /* no framing any more: bytes until the stream ends */
	READER_DONE /* the message is complete; or it failed */
};

struct reader_head; /* a head, the bytes it points into, and how far its body has come */

struct reader {
	struct stream *stream;		   /* borrowed */
	const struct parse_limits *limits; /* borrowed */
	enum head_kind kind;
	enum parse_asked asked; /* for responses */
	enum reader_state state;
	bool failed;
	struct head_scan scan;
	struct buf partial;	  /* of a head that comes in pieces */
	struct reader_head *head; /* owned; of the message that is being read */
	struct part part;	  /* what is handed out */
	uint64_t body_bytes;	  /* of this message so far, framing not counted */
	leg_read_fn *fn;	  /* pending */
	void *arg;
	void (*on_started)(void *owner); /* the first bytes of a head are there, but not all of it */
	void *owner;
};

void reader_init(struct reader *r, struct stream *s, enum head_kind kind, const struct parse_limits *limits,
		 void (*on_started)(void *owner), void *owner);
void reader_free(struct reader *r);

/*
 * The next part. fn gets part == NULL and err == NULL when the peer ended the connection before
 * the first byte of a message. Errors are final.
 */
void reader_read(struct reader *r, leg_read_fn *fn, void *arg);
void reader_cancel(struct reader *r);
/* Before the next message: frees the head of the last one. */
void reader_next(struct reader *r, enum parse_asked asked);
/* What follows is raw, for as long as the stream lasts. */
void reader_go_raw(struct reader *r);

#endif

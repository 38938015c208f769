/*
 * Messages over frames: what http/reader and http/writer are for HTTP/1.1 bytes. The
 * same parts (http/leg.h) come out and go in.
 */
#ifndef PROXY_FRAMED_H
#define PROXY_FRAMED_H

#include "base/buf.h"
#include "http/leg.h"
#include "http/parse.h"
#include "net/frame.h"
#include "net/stream.h"

/* ---- reading ---- */

enum framed_state {
	FRAMED_HEAD, /* a REQUEST or RESPONSE is next */
	FRAMED_BODY, /* DATA or END */
	FRAMED_RAW,  /* likewise, behind a switch to raw */
	FRAMED_DONE, /* END has come */
	FRAMED_BARE  /* behind a RESPONSE_RAW: what follows is for nobody here */
};

struct framed_head;

struct framed_reader {
	struct stream *stream;		   /* borrowed */
	const struct parse_limits *limits; /* borrowed */
	enum head_kind kind;
	enum parse_asked asked;
	enum framed_state state;
	bool failed;
	bool bare_ok; /* the request was, or of a response: was sent as, a REQUEST_RAW */
	/* the frame that is being read */
	uint8_t header[FRAME_HEADER];
	size_t header_got;
	enum frame_type type;
	size_t left;		  /* of its payload */
	struct buf payload;	  /* of a frame that is taken whole: all but DATA */
	struct framed_head *head; /* owned */
	struct head *trailers;	  /* owned, NULL: none */
	struct part part;
	uint64_t body_bytes;
	uint64_t id; /* of the exchange: from REQUEST */
	leg_read_fn *fn;
	void *arg;
	/*
	 * A PING, PONG, WATCH or TRUNK (type tells) where one may stand; reading goes on. payload is valid during
	 * the call. NULL: none is awaited, and one that comes is an error.
	 */
	bool pinged;
	void (*on_ping)(void *owner, struct span payload);
	void *owner;
};

void framed_reader_init(struct framed_reader *r, struct stream *s, enum head_kind kind,
			const struct parse_limits *limits, void (*on_ping)(void *owner, struct span payload),
			void *owner);
void framed_reader_free(struct framed_reader *r);
/* part NULL and err NULL: the peer ended the connection between two messages. */
void framed_read(struct framed_reader *r, leg_read_fn *fn, void *arg);
void framed_read_cancel(struct framed_reader *r);
void framed_read_next(struct framed_reader *r, enum parse_asked asked);
void framed_read_raw(struct framed_reader *r);

/* ---- writing ---- */

struct framed_writer {
	struct stream *stream; /* borrowed */
	bool begun, done;
	bool bare;	    /* the head goes as a REQUEST_RAW or RESPONSE_RAW; until framed_write_next */
	struct block *head; /* the head frame while it is being written */
	uint8_t data[FRAME_HEADER];
	struct buf last; /* an END, ERROR, PING or PONG frame */
	struct task refuse;
	struct error err;
	leg_send_fn *fn;
	void *arg;
};

void framed_writer_init(struct framed_writer *w, struct stream *s);
void framed_writer_free(struct framed_writer *w);
void framed_write_next(struct framed_writer *w);
void framed_write_raw(struct framed_writer *w);
/* id: written in front of a request's head. */
void framed_write(struct framed_writer *w, const struct part *part, uint64_t id, leg_send_fn *fn, void *arg);
/* An ERROR, PING or PONG frame. */
void framed_write_control(struct framed_writer *w, enum frame_type type, struct span payload, leg_send_fn *fn,
			  void *arg);

#endif

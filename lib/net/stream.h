/*
 * A byte stream: reliable, ordered, two-way, with an end in each direction.
 *
 * TCP, unix and vsock sockets, TLS over any of them and the in-memory pair of the
 * tests are all streams; the code above one cannot tell which it holds.
 *
 *  - Nothing is read that was not asked for: not reading is back-pressure.
 *  - A read takes its buffer from the loop's pool when bytes are there, and hands
 *    it over: the reader owns the block it gets. A stream that waits holds none.
 *  - At most one read, and one write or shutdown, are pending at a time. No layer
 *    has a queue, so the memory of a connection is bounded by its two operations.
 *  - What is written is lent: it must stay as it is until the callback.
 *  - Callbacks come from the loop, never from inside the call.
 *  - A direction that has ended or failed stays so; the other may go on.
 *  - stream_close() takes the stream: when it returns no callback will come and
 *    what was lent is yours again. It does not wait and does not linger.
 *  - There are no timeouts here: whoever knows what is awaited has the timer.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/block.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/span.h"

struct stream;

/*
 * b != NULL: bytes, len > 0, yours. b == NULL and err == NULL: the peer has ended
 * its direction. err: nothing more will come, and why; for TLS an end without
 * close_notify is ERR_TRUNCATED, after all data.
 */
typedef void stream_read_fn(void *arg, struct block *b, const struct error *err);

/* err == NULL: all of it was handed on. That says nothing of the peer having it. */
typedef void stream_write_fn(void *arg, const struct error *err);

#define STREAM_MAX_SPANS 8

enum stream_side { STREAM_IN, STREAM_OUT };

void stream_read(struct stream *s, stream_read_fn *fn, void *arg);
/* Gives back (the rest of) a block: the next read finds it first. No read may be pending. Takes b. */
void stream_unread(struct stream *s, struct block *b);
/* Takes back a pending read. Nothing is lost: bytes that had come are found by the next read. */
void stream_read_cancel(struct stream *s);

void stream_write(struct stream *s, const struct span *v, size_t count, stream_write_fn *fn, void *arg);
/* Ends our direction (TLS: close_notify; the stream below stays open). No write after it. */
void stream_shutdown(struct stream *s, stream_write_fn *fn, void *arg);
/* NULL is fine. */
void stream_close(struct stream *s);
/*
 * The same, when what was to come did not all come: the peer shall not take the end for a whole. Over TCP it
 * sees a reset, and bytes that are not on their way yet are lost; over TLS no close_notify; over a unix
 * socket or vsock, which can say nothing of the kind, the close itself: see stream_require_end.
 */
void stream_abort(struct stream *s);
/*
 * The peer has promised to end its direction, to wait for our end, and to close only then. If it closes
 * without that, it has broken off: the read ends with ERR_RESET. For those relays of ours that are joined by
 * sockets on which a half-close stays one; on TCP a break is seen without it.
 */
void stream_require_end(struct stream *s);

/* "tls example.org:443 over vsock:3:5001": for logs and error texts. Valid as long as the stream. */
const char *stream_name(const struct stream *s);
struct loop *stream_loop(const struct stream *s);
bool stream_reading(const struct stream *s); /* a read is pending */
bool stream_writing(const struct stream *s); /* a write or shutdown is pending */
/*
 * Something has come that nobody has got yet: bytes, the end or an error. The next read is answered at once.
 */
bool stream_ready(const struct stream *s);

/*
 * Who is at the other end, as far as the kernel vouches for it: vsock CID, unix uid.
 * -1: unknown or not applicable.
 */
struct stream_peer {
	int64_t cid, uid;
	bool loopback;	  /* TCP from 127/8 or ::1 */
	char address[64]; /* "192.0.2.7:4711", "cid 16", "uid 0": for limits and logs */
};
void stream_peer(const struct stream *s, struct stream_peer *peer);
/*
 * Whose bytes are this direction's without a change, from here on: s itself if it has nothing below, or a stream
 * below it. NULL: not (yet) those of any. For splice(2).
 */
struct stream *stream_through(struct stream *s, enum stream_side side);
/* "tcp", "unix", "vsock": of the sockets below; "bundle"; NULL: there are none. */
const char *stream_transport(const struct stream *s);

#endif

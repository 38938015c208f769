/* A stream over a connected socket of any family: TCP, unix, AF_VSOCK. */
#ifndef NET_FD_STREAM_H
#define NET_FD_STREAM_H

#include "net/stream.h"

/* How the descriptor came to be, which tells what may be there to read and what to watch for. */
enum fd_birth {
	FD_ACCEPTED,  /* the peer may have written already */
	FD_CONNECTED, /* nothing will be there before something was sent, most likely: it is waited for */
	FD_CONNECTING, /* connect() goes on in the background; not to be read or written before it is through */
};

/* Takes fd (non-blocking, of that address family), even when it fails; NULL then. */
struct stream *fd_stream_new(struct loop *l, int fd, int family, enum fd_birth birth, const char *name,
			     struct error *err);
/*
 * Of one that was born FD_CONNECTING, after an edge of STREAM_OUT (fd_stream_tap): 0, and it is a stream like any
 * other; EINPROGRESS; or why it has failed.
 */
int fd_stream_connected(struct stream *s);

/*
 * For whoever moves bytes without seeing them (net/splice.h): the descriptor, which stays the stream's.
 * -1: the stream is of another kind, or over AF_VSOCK, where each write has a limit to keep.
 */
int fd_stream_fd(const struct stream *s);
/* Of whatever address family, to be handed over (net/handover.h). -1: the stream is of another kind. */
int fd_stream_socket(const struct stream *s, int *family);

/*
 * While tapped, the edges of that side go to fn, which may untap, post tasks and do nothing else, and no read
 * (STREAM_IN) or write (STREAM_OUT) may be started. False when the side is not at rest: an operation is pending,
 * it has read ahead, it has failed or ended. The socket may be ready already: try first.
 */
bool fd_stream_tap(struct stream *s, enum stream_side side, void (*fn)(void *arg), void *arg);
/* The side is the stream's again. */
void fd_stream_untap(struct stream *s, enum stream_side side);

#endif

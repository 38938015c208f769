/* A stream over a connected socket of any family: TCP, unix, AF_VSOCK. */
#ifndef NET_FD_STREAM_H
#define NET_FD_STREAM_H

#include "net/stream.h"

/* Takes fd (non-blocking, connected), even when it fails; NULL then. */
struct stream *fd_stream_new(struct loop *l, int fd, const char *name, struct error *err);

/*
 * For a relay that wants to move bytes without seeing them: the descriptor, when the stream
 * is an fd_stream with nothing read ahead and no operation pending; else -1. It stays the stream's.
 */
int fd_stream_fd(const struct stream *s);
/*
 * While set, the stream's edges go to fn instead of its own reads and writes, of which none may
 * be pending. NULL gives them back; the stream then assumes that it is readable.
 */
void fd_stream_tap(struct stream *s, void (*fn)(void *arg, unsigned events), void *arg);

#endif

/*
 * Bulk from one socket to another through a pipe, splice(2): the kernel moves pages, and no byte is
 * copied into this process. One direction; the other one of the two streams may do as it likes.
 *
 *	from --splice--> pipe --splice--> to
 *
 * A pipe is held only while bytes move. Not for AF_VSOCK: what a splice hands to it at once cannot be
 * kept below the bytes that are safe there (net/fd_stream.c), and before Linux 6.5 it is page by page.
 */
#ifndef NET_SPLICE_H
#define NET_SPLICE_H

#include "net/stream.h"

/* Pipes to share, of one loop. */
struct splice_pool;
/*
 * At most `limit` at a time: an unprivileged user has 64 MiB of them in all (pipe(7)). From then on the
 * process ignores SIGPIPE: splice(2) has no MSG_NOSIGNAL.
 */
struct splice_pool *splice_pool_new(unsigned limit);
void splice_pool_free(struct splice_pool *pool); /* no splice is left */

enum splice_end {
	SPLICE_ENDED,	     /* from has ended, it seems, and `to` has it all: a read tells for sure */
	SPLICE_QUIET,	     /* it is no bulk any more, or pipes are short: go on with reads and writes */
	SPLICE_UNABLE,	     /* the kernel does not do it for these two: likewise, and do not ask again */
	SPLICE_READ_FAILED,  /* with err; `to` has all that came before */
	SPLICE_WRITE_FAILED, /* with err */
};

struct splice_events {
	void (*moved)(void *arg, size_t bytes); /* into `to`, since the last call */
	void (*ended)(void *arg, enum splice_end why, const struct error *err);
};

struct splice;

/*
 * NULL: not with these two. Both have a stream_through, and are borrowed until `ended`, which comes once, from the loop,
 * or splice_cancel; until then nobody reads `from` and nobody writes `to`.
 */
struct splice *splice_start(struct splice_pool *pool, struct stream *from, struct stream *to,
			    const struct splice_events *events, void *arg);
/* What is in the pipe is lost: for when both streams are to be closed. */
void splice_cancel(struct splice *s);

#endif

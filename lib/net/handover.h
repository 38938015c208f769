/*
 * A connection that has come to one process and belongs to another is handed over to it, with a note of what was said on
 * it so far. For workers who accept from one socket: who gets a connection is chance, and some belong where others are.
 *
 *	worker 0     worker 1     worker 2
 *	    ^            ^            ^
 *	    |            |            |        a pair of sockets each, made before they are forked: everybody can write,
 *	 ---+------------+------------+---     and its owner reads
 */
#ifndef NET_HANDOVER_H
#define NET_HANDOVER_H

#include "net/stream.h"

#define HANDOVER_NOTE 64 /* bytes at most */

struct handover;

/* Before the fork. What is on its way to a worker that dies is found by the one that takes its place. */
struct handover *handover_new(unsigned workers);
void handover_free(struct handover *h); /* NULL is fine */

/*
 * s: a socket's, nothing having been read behind what the note tells. False: s stays the caller's, because it is none, or
 * something has come on it already, or that worker has too many to take.
 */
bool handover_give(struct handover *h, unsigned worker, struct stream *s, struct span note);

/* Where one worker takes what is its own. */
struct handover_end;

/* s is the callee's. */
typedef void handover_fn(void *arg, struct stream *s, struct span note);

struct handover_end *handover_listen(struct handover *h, struct loop *l, unsigned worker, handover_fn *fn,
				     void *arg, struct error *err);
void handover_stop(struct handover_end *e); /* NULL is fine */

#endif

/*
 * A bundle: many streams carried by one.
 *
 *	strand --.                                      .-- strand
 *	strand ---+== carrier: one vsock, unix, tcp ==+---- strand
 *	strand --'                                      '-- strand
 *
 * What all strands have to say within one turn of the loop leaves in one write, and what has come for all of them
 * is had by one read: between two virtual machines it is the wake-up that costs, and not the bytes. Opening and
 * closing a strand costs no system call at all.
 *
 * A strand is a stream like any other (net/stream.h) and half-closes whatever the carrier does. Unlike a unix or
 * vsock socket it tells a close from a break: a close is read as an end, stream_abort as ERR_RESET.
 *
 * No strand can hold up another: each has a window of its own, so the carrier is always read. What a peer can make us keep
 * is a window's bytes, in a block or two, for each strand that nobody reads, and strands are as many as was promised.
 *
 * A strand that turns out to be bulk is given a connection of its own, a lane (bundle_lane.c), and costs from then on
 * what it would cost without a bundle.
 *
 * On the carrier:
 *
 *	 0      1        4           8            8 + length
 *	 | type | length | strand id | payload    |             big-endian; only DATA has a payload
 *
 *	 1 OPEN    dialler's    a new strand; ids go up
 *	 2 CREDIT  both         length more bytes may be sent; the window starts at 32 KiB
 *	 3 END     both         this direction is complete
 *	 4 CLOSE   both         that, and nothing that is still sent will be read
 *	 5 RESET   both         broken off: nothing more goes either way
 *	 6 MOVE    acceptor's   please: a lane for this strand
 *	 7 MOVED   both         what comes next comes over the lane
 *	 8 DATA    both         1..65535 bytes, no more than the window leaves
 *
 *	 9 LEAVE   both         id 0: no new strands; who has dialled closes behind the last one
 *	10 PING    both         id 0: are you there?
 *	11 PONG    both         id 0: yes
 *
 * Frames of a strand that has closed are passed over: they were sent before its CLOSE had arrived.
 */
#ifndef NET_BUNDLE_H
#define NET_BUNDLE_H

#include "net/stream.h"

struct bundle;

enum bundle_side { BUNDLE_DIALS, BUNDLE_ACCEPTS };

struct bundle_config {
	enum bundle_side side;
	/*
	 * Strands at a time, the same on both sides. Who dials counts one until both have closed it, so that he never
	 * has one more than who accepts.
	 */
	unsigned most;
	/* None of these callbacks may end the bundle from inside. */

	/* The other side has opened one; the callee's. NULL for who dials. */
	void (*on_strand)(void *owner, struct stream *s);
	/* Who dials: strand id is bulk, and would do better with a connection of its own: see bundle_give_lane. */
	void (*on_bulk)(void *owner, struct bundle *b, uint32_t id);
	/*
	 * The carrier is gone and so will be b, right behind this call. err NULL: both sides were done; or why. Strands
	 * that are left fail with that.
	 */
	void (*on_gone)(void *owner, struct bundle *b, const struct error *err);
	void *owner;
};

/* Takes the carrier. */
struct bundle *bundle_new(struct stream *carrier, const struct bundle_config *config);
/* Without on_gone. Strands that are left fail; what was said leaves if it can at once. NULL is fine. */
void bundle_free(struct bundle *b);

/* Who dials: a new strand; NULL: there are too many, or the other side takes no more. */
struct stream *bundle_open(struct bundle *b);
/*
 * A connection of its own for a strand (both sides have one of its two ends): takes the lane. False: the strand is not
 * there any more.
 */
bool bundle_give_lane(struct bundle *b, uint32_t id, struct stream *lane);
/* There will be none: the strand stays on the carrier, or fails if the other side has gone over already. */
void bundle_no_lane(struct bundle *b, uint32_t id);
/* No new strands from now on, on either side; on_gone follows the last one and all that was said on it. */
void bundle_leave(struct bundle *b);
bool bundle_leaving(const struct bundle *b);
bool bundle_has_room(const struct bundle *b);  /* for one more strand */
unsigned bundle_count(const struct bundle *b); /* strands */

bool bundle_has(const struct bundle *b, const struct stream *s); /* s is one of its strands */

/* s is a strand, or goes over one.. */
bool bundle_carries(const struct stream *s);
/* ..of a bundle that takes no new ones, or has gone. */
bool bundle_leaves_with(const struct stream *s);

#endif

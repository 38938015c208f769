/* Two bundles over one carrier, and what they told their owners. */
#ifndef TESTS_BUNDLE_PAIR_H
#define TESTS_BUNDLE_PAIR_H

#include "net/bundle.h"

#define BUNDLE_PAIR_MOST 64

struct bundle_end {
	struct bundle *bundle;	/* owned; NULL when it is gone */
	struct stream *carrier; /* the bundle's: to count and to break it */
	unsigned gone;		/* calls of on_gone */
	bool failed;
	struct error err;
	/* of who accepts: what has come and nobody has taken over yet is owned */
	struct stream *came[BUNDLE_PAIR_MOST];
	unsigned count;
	bool refuses; /* closes what comes, at once */
	/* of who dials: calls of on_bulk, and for which strand */
	unsigned asked;
	uint32_t bulk;
};

struct bundle_pair {
	struct loop *loop;
	struct bundle_end dials, accepts;
};

#define OVER_SOCKETS 0 /* for a capacity */

/* A loop and two bundles, over memory streams of that capacity or over unix sockets. */
void bundle_pair_start(struct bundle_pair *t, size_t capacity, unsigned most);
/* One side only, over a carrier of the test's own. */
void bundle_end_start(struct bundle_end *e, struct stream *carrier, enum bundle_side side, unsigned most);
/* Opens a strand; its other end comes in *there. Fails the test when it does not. */
struct stream *bundle_pair_open(struct bundle_pair *t, struct stream **there);
/* Bundles, strands that nobody took, and the loop: which finds what was left behind. */
void bundle_pair_end(struct bundle_pair *t);

#endif

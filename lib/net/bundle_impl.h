/*
 * What the files of the bundle share; nobody else includes it.
 *
 *	bundle.c         its life; strands found by their id
 *	bundle_in.c      what comes: frames, taken apart as they arrive
 *	bundle_out.c     what goes: one block for what all strands say, and who waits for room in it
 *	bundle_strand.c  a strand as a stream
 *	bundle_lane.c    a strand with a connection of its own
 */
#ifndef NET_BUNDLE_IMPL_H
#define NET_BUNDLE_IMPL_H

#include "net/bundle.h"
#include "net/stream_impl.h"

#define BUNDLE_HEADER  8
#define BUNDLE_LONGEST 65535 /* the most in one frame */
#define BUNDLE_WINDOW  32768 /* what a strand may send unasked */
#define BUNDLE_BUCKETS 256   /* a power of two */
#define BUNDLE_BULK    2     /* this often a strand stood before a full window: it is bulk */
#define BUNDLE_QUIET   10000 /* ms without a word from the other side, and it is asked.. */
#define BUNDLE_DEAD    5000  /* ..and given up this much later */
#define BUNDLE_SILENCE 60000 /* who is not asked for so long gives up, too */
#define BUNDLE_LINGER  1000  /* who accepts waits so long for the end of a bundle that is over */

enum bundle_type {
	BUNDLE_OPEN = 1,
	BUNDLE_CREDIT,
	BUNDLE_END,
	BUNDLE_CLOSE,
	BUNDLE_RESET,
	BUNDLE_MOVE,
	BUNDLE_MOVED,
	BUNDLE_DATA,
	BUNDLE_LEAVE,
	BUNDLE_PING,
	BUNDLE_PONG,
};

struct bundle {
	struct loop *loop;
	struct stream *carrier; /* owned */
	struct bundle_config config;
	struct list buckets[BUNDLE_BUCKETS]; /* all strands, by id */
	unsigned count;
	uint32_t last; /* the id opened last */
	bool leaving;
	struct task ending;
	struct {
		uint8_t header[BUNDLE_HEADER];
		size_t have;	    /* bytes of the header */
		struct strand *to;  /* whose payload comes now; NULL: nobody's */
		size_t left;	    /* of the payload */
		bool heard;	    /* anything, since the timer last looked */
		struct block *from; /* being taken apart.. */
		struct task more;   /* ..and there is more of it */
	} in;
	struct {
		struct block *filling; /* NULL: nothing to say */
		struct block *sending; /* lent to the carrier; NULL: it could take another */
		struct list waiting;   /* strands for which there was no room */
		unsigned say;	       /* frames of no strand */
		struct task flush;
	} out;
	struct timer beat;
	bool pinged;
};

/* Frames that have to go out. */
enum {
	SAY_OPEN = 1,
	SAY_MOVE = 2,
	SAY_MOVED = 4,
	SAY_END = 8,
	SAY_CLOSE = 16,
	SAY_RESET = 32,
	SAY_LEAVE = 1, /* of no strand */
	SAY_PING = 2,
	SAY_PONG = 4,
};

struct strand {
	struct stream base;
	struct bundle *bundle; /* NULL: the carrier is gone */
	struct list bucket;
	struct list waiting; /* in bundle->out.waiting */
	uint32_t id;
	uint32_t credit;  /* what we may send */
	uint32_t allowed; /* what the other side may send.. */
	uint32_t taken;	  /* ..and what was read since it was told so */
	unsigned say;
	unsigned stalls;   /* how often the window was full */
	struct block *in;  /* has come and was not read yet */
	bool ended;	   /* nothing comes behind that.. */
	struct error *why; /* owned; ..and that is no end, but broken off */
	bool deaf;	   /* the other side reads no more */
	bool closed; /* its user is gone; here until all is said, and who dials: until the other side closes */
	struct {
		struct stream *stream; /* owned; NULL: there is none (yet) */
		bool asked;	       /* for one */
		bool none;	       /* and there will be none */
		bool in, out;	       /* that direction has gone over */
		bool dry;	       /* it was read to its end */
		bool writing;	       /* a write or shutdown is pending there */
		bool shut;
		struct timer patience; /* from its end to the carrier's word for it */
	} lane;
};

/* ---- bundle.c ---- */

struct strand *bundle_find(struct bundle *b, uint32_t id);
void bundle_add(struct bundle *b, struct strand *st);
void bundle_forget(struct strand *st);
/*
 * It was the last one, no others will come, and all is said: who dials ends the bundle, from the loop. Who accepts
 * waits for that a moment: if he did it, what he said last could be lost by what he has not read.
 */
void bundle_check_ending(struct bundle *b);
/* No strand would have got or given anything more. */
bool bundle_nothing_lost(const struct bundle *b);
/* Fails everything; b is freed. err NULL: as it should be. */
void bundle_lost(struct bundle *b, const struct error *err);

/* ---- bundle_lane.c ---- */

void strand_is_bulk(struct strand *st);
/* The other side has gone over to where nobody is. */
void strand_astray(struct strand *st);
void lane_drop(struct strand *st, bool abort);
/* False: nothing comes that way, or no more. */
bool lane_read(struct strand *st);
void lane_write(struct strand *st);
/* False: not yet; then bundle_say is called again. */
bool lane_shut(struct strand *st);
struct stream *lane_through(struct stream *s, enum stream_side side);

/* ---- bundle_strand.c ---- */

struct strand *strand_new(struct bundle *b, uint32_t id);
/* Answers a read that waits, if there is an answer. */
void strand_deliver(struct strand *st);
/* Answers a write or shutdown that waits, if nobody is there to take it. */
bool strand_refuse_write(struct strand *st);
/* Why nothing more comes: the first one counts. */
void strand_blame(struct strand *st, const struct error *why);
/* Nothing more comes, and nothing more is taken. why NULL: an end. */
void strand_over(struct strand *st, const struct error *why);

void strand_free(struct strand *st); /* it is closed, and in no bundle */

/* ---- bundle_in.c ---- */

void bundle_read(struct bundle *b);

/* ---- bundle_out.c ---- */

/* All that st has to say, as far as window and room go; the rest waits. May free one that is closed. */
void bundle_say(struct strand *st);
/* What is still to be said goes out, if it can at once. */
void bundle_last_words(struct bundle *b);
/* A frame of no strand. */
void bundle_say_own(struct bundle *b, unsigned what);

#endif

/*
 * What the files of an exchange share; nobody else includes it.
 *
 *	exchange.c        its life: made, ended, abandoned
 *	exchange_open.c   a leg towards the service; what becomes of an exchange that broke
 *	exchange_pump.c   the two directions
 *	exchange_raw.c    the relay behind a switch to raw
 *	exchange_stage.c  the stages' timeouts
 *	exchange_reply.c  our own answers
 *	exchange_receipt.c  what a witness sees of it
 */
#ifndef PROXY_EXCHANGE_IMPL_H
#define PROXY_EXCHANGE_IMPL_H

#include "http/reply.h"
#include "net/relay.h"
#include "proxy/exchange.h"

/*
 * One direction: a part is either being read or being sent, never both. But when a request is repeated, the
 * read behind its first part goes on meanwhile; what that brings is held until the first part has gone.
 */
struct pump {
	struct exchange *x;
	struct leg *from, *to;
	struct part part;
	struct block *data; /* owned; part.data */
	bool reading, sending;
	bool held; /* part has been read and waits */
	bool done; /* the end was sent */
};

enum exchange_state { NEW, OPENING, WAITING, FORWARDING, REPLYING };

struct own_reply {
	struct reply problem; /* what head points into, for an error */
	struct head head;
	struct block *body; /* owned; NULL: none */
};

struct exchange {
	struct loop *loop;
	const struct exchange_role *role;
	struct exchange_info info;
	enum exchange_state state;
	struct leg *in, *out;
	struct pump up, down;
	struct part first;	  /* of the request: kept until it cannot be needed again */
	struct block *first_data; /* owned; lent while the first part is being sent */
	bool first_sending;
	bool more_sent;	     /* the first part is not all that was sent */
	bool answered;	     /* a final head was passed on to the client */
	bool begun;	     /* any head was: a 1xx too */
	unsigned interim;    /* 1xx responses so far */
	bool upload_lost;    /* the service stopped taking the request */
	bool raw;	     /* behind a 101 or a CONNECT's 2xx */
	bool joining;	     /* likewise, and a relay takes over as soon as nothing is being sent any more */
	struct relay *relay; /* owns both legs' streams; NULL: none */
	unsigned open_failures;
	bool repeated; /* on a fresh connection, since the pooled one was stale */
	void *opening;
	struct timer timer; /* of the stage; or until the next attempt */
	struct buf text;
	struct own_reply *reply; /* owned: our own answer while it is being sent */
	struct list running;	 /* in role->running */
};

/* ---- the end ---- */

/* Nobody will need the first part again. */
void exchange_drop_first(struct exchange *x);
void exchange_close_out(struct exchange *x, const struct error *why);
/* x has gone behind the call. why: the client's leg is cut. */
void exchange_finish(struct exchange *x, const struct error *why);
/* It cannot go on: repeated, refused or cut, by what has gone by. hop: where, unless err knows it. */
void exchange_broken(struct exchange *x, const struct error *why, enum hop hop);

/* ---- opening ---- */

void exchange_open_leg(struct exchange *x, bool fresh);
bool exchange_may_repeat(const struct exchange *x);

/* ---- stages ---- */

/* Something has moved: the stage that now begins, or goes on, has its whole time. */
void exchange_progress(struct exchange *x);
/* The stage has ms from now. */
void exchange_await(struct exchange *x, uint64_t ms);

/* ---- the directions ---- */

/* The part that has been read is sent on. */
void exchange_send_on(struct pump *p);
/* Both, from the first part on: the leg towards the service is open. */
void exchange_pump(struct exchange *x);
/*
 * For the witness, if there is one. What goes up; that it did not all arrive; and what comes down: true, if
 * the part in x->down waits for the receipt and is then sent by itself.
 */
void exchange_witness_up(struct exchange *x, const struct block *data);
bool exchange_witness_down(struct exchange *x);
/* A relay takes over; if something is being sent still: not yet. */
void exchange_join(struct exchange *x);
/* What the relay, if there is one, has carried so far goes into the exchange's figures. */
void exchange_count_relayed(struct exchange *x);

#endif

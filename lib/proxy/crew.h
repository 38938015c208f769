/*
 * The workers of one role: so many processes that do the same with the same settings and listeners. A crew of
 * one is the ordinary case and costs nothing. What they share is made before they are forked:
 *
 *	figures        each writes its own, anybody adds up all     /metrics is whole, whoever answers
 *	rate limits    one table                                    a client has its rate once
 *	Via            one pseudonym                                a loop through two workers is seen as one
 *	told           the enclave's metrics, as worker 0 of the host has them
 *	care           what the supervisor knows: restarts, the application, the clock
 *	handover       connections that belong to another one         a lane finds its trunk
 *
 * Each has its own connections, pools, TLS sessions and verified chains. Of limits that hold for all together
 * each has its share.
 */
#ifndef PROXY_CREW_H
#define PROXY_CREW_H

#include "base/buf.h"
#include "net/handover.h"
#include "proxy/figures.h"
#include "proxy/ratelimit.h"
#include "proxy/settings.h"

struct crew_shared;

struct crew {
	unsigned count, index;	     /* of this worker: 0 and up */
	uint64_t id;		     /* for Via */
	struct ratelimit *clients;   /* owned; NULL: clients have no limit */
	struct ratelimit *documents; /* owned; attestation documents of all who ask */
	struct handover *handover;   /* owned; NULL: there is no other */
	struct crew_shared *shared;  /* owned, as far as this process has it */
	uint64_t *beats;	     /* owned; as crew_all_alive has seen them */
};

/* What the supervisor writes, and workers read. 64-bit numbers, as in figures.h. */
struct crew_care {
	uint64_t told_to_end; /* how often */
	uint64_t restarts;
	uint64_t app, app_running, app_restarts;    /* app: there is one */
	uint64_t clock, clock_in_step, clock_steps; /* clock: there is one to follow */
	int64_t clock_offset_ns;
};

struct crew *crew_new(const struct settings *s, unsigned count);
void crew_free(struct crew *c); /* NULL is fine */

/* This process is that worker now; before its role is made. It sets figures.serving itself when it does. */
void crew_join(struct crew *c, unsigned index);
/* That worker has died; from the supervisor. */
void crew_left(struct crew *c, unsigned index);

struct figures *crew_figures(const struct crew *c);	    /* this worker's own */
void crew_total(const struct crew *c, struct figures *sum); /* of all */
struct crew_care *crew_care(const struct crew *c);
/* Every worker has counted up its beats since this was asked last. From the supervisor. */
bool crew_all_alive(struct crew *c);
uint64_t crew_started_us(const struct crew *c); /* the role, not this worker */

/* This worker's part of a limit that holds for all together, rounded up. */
uint32_t crew_share(const struct crew *c, uint32_t limit);
/* No other worker has fewer connections. For listener_share; arg is the crew. */
bool crew_turn(void *crew);

/* What worker 0 was told last; n 0: nothing, any more. Appends it to out. */
void crew_tell(struct crew *c, struct span text);
void crew_told(struct crew *c, struct buf *out);

/* nitroproxy_workers and nitroproxy_worker_restarts_total, of a sum. */
void crew_metrics(const struct crew *c, const char *role, const struct figures *sum, struct buf *out);

#endif

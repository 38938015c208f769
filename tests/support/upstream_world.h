/*
 * Upstream connections through a tunnel that the test speaks for, on a unix socket; the clock is the test's.
 *
 *	request --- upstream --- unix --- listener, then service[n]: the tunnel and, behind its answer, the service
 */
#ifndef TESTS_UPSTREAM_WORLD_H
#define TESTS_UPSTREAM_WORLD_H

#include "net/listener.h"
#include "proxy/trace.h"
#include "proxy/upstream.h"
#include "wire.h"

#define UPSTREAM_WORLD_CONNECTIONS 16

struct upstream_request {
	unsigned calls;
	struct leg *leg; /* owned; NULL: none yet, or no more */
	bool reused, sent, ended;
	enum error_kind kind;
	struct trace trace;
};

struct upstream_world {
	struct loop *loop;
	char directory[32], path[64];
	struct listener *listener;
	struct wire service[UPSTREAM_WORLD_CONNECTIONS]; /* in the order in which they were dialled */
	unsigned dialled;
	struct upstream *upstream;
	struct upstream_stats stats;
	struct upstream_config config;
	struct upstream_request a, b, c; /* whose legs are closed at the end */
};

/* To one target: by http, and as a tunnel of raw bytes. */
extern const struct target upstream_site, upstream_raw;

/* Eight connections to a target, all of which may be kept idle. */
void upstream_world_start(struct upstream_world *w);
/* So many; idle: to that target, total: to all. */
void upstream_world_start_with(struct upstream_world *w, unsigned connections, unsigned idle, unsigned total);
/* The listener once more, after the test has stopped it. */
void upstream_world_listen(struct upstream_world *w);
void upstream_world_finish(struct upstream_world *w);

/* Whatever can happen without waiting has happened. */
void upstream_world_turn(struct upstream_world *w);
/* Puts the clock forward and lets what is due happen. */
void upstream_world_wait(struct upstream_world *w, time_t seconds);

/* What can be cancelled. */
void *upstream_world_ask(struct upstream_world *w, const struct target *t, bool fresh,
			 struct upstream_request *r);
/* The tunnel has connected i. */
void upstream_world_connected(struct upstream_world *w, unsigned i);
/* Waits for what was asked for, which must come, once. */
void upstream_world_got(struct upstream_world *w, const struct upstream_request *r, bool reused);
/* The request of r goes over connection i; that is idle then if it stays. */
void upstream_world_serve(struct upstream_world *w, struct upstream_request *r, unsigned i, bool stays);
void upstream_world_give_up(struct upstream_request *r);
/* a and b, two at a time for the first time: connections 0 and 1 are theirs, and 2 is begun ahead. */
void upstream_world_shortage(struct upstream_world *w);
/* .. and 2 is there, and idle. */
void upstream_world_one_ahead(struct upstream_world *w);

#endif

/*
 * What the files of the upstream share; nobody else includes it.
 *
 *	upstream.c        openings: a connection from the pool or a new one; its life
 *	upstream_conn.c   connections, and what becomes of one that is idle
 *	upstream_ahead.c  whether one is opened before a request needs it
 */
#ifndef PROXY_UPSTREAM_IMPL_H
#define PROXY_UPSTREAM_IMPL_H

#include "http/client_conn.h"
#include "proxy/target_map.h"
#include "proxy/upstream.h"

/* One connection: in use, or idle in its target's list. */
struct conn {
	struct upstream *upstream;
	struct target_entry *entry; /* held */
	struct client_conn *http;
	struct opening *taken; /* borrowed; it is about to be handed out to that one */
	struct list idle;      /* in entry->idle, the one used last first */
	struct list idle_all;  /* in upstream->idle */
	bool ahead;	       /* opened ahead, and no request has had it yet */
	struct timer timer;    /* of being idle */
	uint64_t idle_since;
};

/*
 * Somebody waits for a leg: one from the pool (which is handed out from the loop), or a new one. Or nobody does
 * yet (fn is NULL, entry->ahead is this): then the connection goes to the pool, unless a request comes earlier.
 */
struct opening {
	struct upstream *upstream;
	struct list link; /* in upstream->openings */
	struct target target;
	uint64_t id;
	struct conn *pooled;	    /* taken from the pool; NULL again if it dies before it is handed out */
	struct target_entry *entry; /* held for the connection that is being made */
	struct reach *reach;
	struct task done;
	bool ahead;	       /* begun before its request */
	struct trace *trace;   /* borrowed; NULL: nobody asked */
	struct tls_info *peer; /* likewise */
	exchange_open_fn *fn;
	void *arg;
};

struct upstream {
	struct loop *loop;
	struct upstream_config config;
	struct target_map *targets;
	struct list idle; /* all idle connections, the one used last first */
	struct list openings;
	struct list paused; /* targets for which none is opened ahead, the one paused first first */
	unsigned paused_count;
	bool draining;
	struct reach *ping;
	reach_ping_fn *ping_fn;
	void *ping_arg;
};

/* Dials for o, which holds its entry. */
void upstream_reach(struct opening *o);
/* No callback. */
void upstream_discard(struct opening *o);

/* Takes the stream, and the opening's hold on the entry. */
struct conn *upstream_conn_new(struct opening *o, struct stream *s);
/* It can carry another exchange: into the pool, if there is room. */
void upstream_conn_park(struct conn *c);
/* Out of the pool, if it is there. */
void upstream_conn_leave_idle(struct conn *c);
void upstream_conn_drop(struct conn *c);

/* A request for e waits for a new connection, and that not because it is e's first. */
void upstream_ahead_short(struct upstream *u, struct target_entry *e);
/* o has taken the last one that was idle, or found none: opens one more if that is of use. */
void upstream_ahead_open(const struct opening *o, struct target_entry *e);
/* o is a request's now, or over. */
void upstream_ahead_leave(const struct opening *o);
/* Connections to e fail, or are not used: none is opened ahead for a while. e is held. */
void upstream_ahead_pause(struct upstream *u, struct target_entry *e);
/* Ends all pauses: what was kept for them goes. */
void upstream_ahead_resume_all(struct upstream *u);

#endif

/*
 * What the files of the upstream share; nobody else includes it.
 *
 *	upstream.c       openings: a connection from the pool or a new one; its life
 *	upstream_conn.c  connections, and what becomes of one that is idle
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
	struct timer timer;    /* of being idle */
	uint64_t idle_since;
};

/* Somebody waits for a leg: one from the pool (which is handed out from the loop), or a new one. */
struct opening {
	struct upstream *upstream;
	struct list link; /* in upstream->openings */
	struct target target;
	uint64_t id;
	struct conn *pooled;	    /* taken from the pool; NULL again if it dies before it is handed out */
	struct target_entry *entry; /* held for the connection that is being made */
	struct reach *reach;
	struct task done;
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
	struct reach *ping;
	reach_ping_fn *ping_fn;
	void *ping_arg;
};

/* Takes the stream, and the opening's hold on the entry. */
struct conn *upstream_conn_new(struct opening *o, struct stream *s);
/* It can carry another exchange: into the pool, if there is room. */
void upstream_conn_park(struct conn *c);
/* Out of the pool, if it is there. */
void upstream_conn_leave_idle(struct conn *c);
void upstream_conn_drop(struct conn *c);

#endif

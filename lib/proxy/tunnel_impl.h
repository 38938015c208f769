/* What tunnel.c (the role) and tunnel_conn.c (one connection) share; nobody else includes it. */
#ifndef PROXY_TUNNEL_IMPL_H
#define PROXY_TUNNEL_IMPL_H

#include "net/splice.h"
#include "proxy/allow.h"
#include "proxy/trunk_server.h"
#include "proxy/tunnel.h"

#define TUNNEL_LISTENERS 8
#define TUNNEL_BUCKETS	 1024 /* a power of two */

struct tunnel_conn;

struct tunnel {
	struct loop *loop;
	const struct settings *settings; /* borrowed */
	struct allow allow;
	struct listener *listeners[TUNNEL_LISTENERS]; /* owned */
	size_t listener_count;
	struct trunk_server *trunks;
	struct splice_pool *pipes;
	struct list conns;
	struct list targets[TUNNEL_BUCKETS]; /* of open connections, to count them; tunnel_dial.c */
	struct crew *crew;		     /* borrowed */
	struct tunnel_stats *stats;	     /* in the crew */
	uint32_t most, most_of_one;	     /* connections, and to one target */
	struct task drained;
	void (*on_drained)(void *arg); /* set while draining */
	void *drained_arg;
};

/* Takes the stream. */
struct tunnel_conn *tunnel_conn_new(struct tunnel *t, struct stream *client);
/* At once, because the tunnel itself ends. */
void tunnel_conn_cut(struct tunnel_conn *c);
/* The tunnel drains: a connection that is quiet ends soon. */
void tunnel_conn_drain(struct tunnel_conn *c);
struct tunnel_conn *tunnel_conn_of(struct list *in_conns);

/* One is over and has left the lists. */
void tunnel_conn_gone(struct tunnel *t);

#endif

/*
 * The server's side of an HTTP/1.1 connection: gives its requests one after the other,
 * each as a leg (leg.h), and takes the responses in the same order.
 *
 *	        first byte         request          both messages complete
 *	IDLE ---------------> HEAD --------> EXCHANGE -----------------> IDLE
 *	  | end, idle timeout   | bad head      | leg closed before that
 *	  v                     v               v
 *	closed            error, LINGER     LINGER or cut
 *
 * LINGER: our direction is ended and what the client still sends is thrown away for a
 * moment, so that a reset does not destroy the response on its way (RFC 9112 section 9.6).
 */
#ifndef HTTP_SERVER_CONN_H
#define HTTP_SERVER_CONN_H

#include "http/leg.h"
#include "http/parse.h"
#include "net/stream.h"

struct server_conn;

struct server_conn_config {
	struct parse_limits limits;
	uint64_t header_ms; /* from the first byte of a head to its last; and for the first request's first
			       byte */
	uint64_t idle_ms;   /* between two requests */
	const char *agent;  /* "nitroproxy-host": names us in Proxy-Status */
	/*
	 * A request has come. The leg is the owner's until leg_close; part is its first part: the
	 * head, and maybe data (the owner's) and the end already. To answer an error itself, the
	 * owner sends a response as any other.
	 */
	void (*on_request)(void *owner, struct server_conn *c, struct leg *leg, struct part *part);
	/* A request that could not be read was answered with this error. For logs and counters. */
	void (*on_refused)(void *owner, struct server_conn *c, const struct error *err);
	/* The connection has gone, and c with it. No leg of it is out. */
	void (*on_closed)(void *owner, struct server_conn *c);
	void *owner;
	struct list conns; /* all connections of this configuration; the owner does list_init */
	unsigned count;
};

/* Takes the stream. config is borrowed and outlives the connection. */
struct server_conn *server_conn_start(struct stream *s, struct server_conn_config *config);
/* No more requests: an idle connection closes now, one with an exchange when that is over. */
void server_conn_drain_all(struct server_conn_config *config);
/* At once, without on_closed. No leg is out. */
void server_conn_close_all(struct server_conn_config *config);

struct stream *server_conn_stream(struct server_conn *c);

#endif

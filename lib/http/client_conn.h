/*
 * The client's side of an HTTP/1.1 connection: carries exchanges one after the other, each
 * as a leg (leg.h) into which the request is sent and from which the response is read.
 */
#ifndef HTTP_CLIENT_CONN_H
#define HTTP_CLIENT_CONN_H

#include "http/leg.h"
#include "http/parse.h"
#include "net/stream.h"

struct client_conn;

struct client_conn_events {
	/* The exchange is over and the connection can carry another one. */
	void (*on_idle)(void *owner, struct client_conn *c);
	/*
	 * The connection is of no use any more: it broke, the peer ended it while it was idle, or an
	 * exchange has left it in the middle of a message. The owner drops it with client_conn_free.
	 */
	void (*on_dead)(void *owner, struct client_conn *c);
	void *owner;
};

/* Takes the stream. limits is borrowed and outlives the connection. */
struct client_conn *client_conn_new(struct stream *s, const struct parse_limits *limits,
				    const struct client_conn_events *events);
/*
 * For CONNECT: the stream leads to the target itself. Its leg swallows the request's head, gives
 * a 200 as the response, and raw bytes after it.
 */
struct client_conn *client_conn_new_raw(struct stream *s, const struct client_conn_events *events);
/* Not while a leg of it is out. */
void client_conn_free(struct client_conn *c);

/* A new one that waits for its first exchange: from now on it is on_dead when the peer ends it. */
void client_conn_wait(struct client_conn *c);
/* The leg of the next exchange; the connection is idle. */
struct leg *client_conn_leg(struct client_conn *c);
/* It has carried an exchange before: a failure without an answer may mean that it was stale. */
bool client_conn_reused(const struct client_conn *c);
/* An idle one: the peer has ended it or said something that nobody asked for, and on_dead is on its way. */
bool client_conn_stale(const struct client_conn *c);
struct stream *client_conn_stream(struct client_conn *c);

#endif

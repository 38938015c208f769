/*
 * A framed connection between host and enclave (net/frame.h), seen from either side.
 *
 *	host:     channel_client   carries exchanges and pings, like http/client_conn
 *	enclave:  channel_server   gives requests, like http/server_conn
 */
#ifndef PROXY_CHANNEL_H
#define PROXY_CHANNEL_H

#include "base/buf.h"
#include "http/leg.h"
#include "http/parse.h"
#include "net/stream.h"
#include "proxy/trunk_message.h"

/* ---- the host's side ---- */

struct channel_client;

struct channel_client_events {
	void (*on_idle)(void *owner, struct channel_client *c); /* an exchange or ping is over */
	void (*on_dead)(void *owner, struct channel_client *c); /* to be dropped with channel_client_free */
	void *owner;
};

/*
 * Takes the stream; limits is borrowed and outlives the channel. half_closes: the end of one direction
 * leaves the other as it is, so a CONNECT may take the stream for itself (REQUEST_RAW, net/frame.h).
 */
struct channel_client *channel_client_new(struct stream *s, const struct parse_limits *limits,
					  bool half_closes, const struct channel_client_events *events);
void channel_client_free(struct channel_client *c); /* not while a leg is out */
/* The leg of the next exchange; the channel is idle. id goes with it, for logs. */
struct leg *channel_client_leg(struct channel_client *c, uint64_t id);
const struct stream *
channel_client_stream(const struct channel_client *c); /* for what it is, not to use it */
bool channel_client_used(
	const struct channel_client *c); /* else nobody watches it yet: it cannot wait in a pool */
bool channel_client_reused(const struct channel_client *c);
/* An idle one: the enclave has ended it or said something unasked, and on_dead is on its way. */
bool channel_client_stale(const struct channel_client *c);

/* status: the enclave's JSON, valid during the call; or err. Afterwards the channel is idle or dead. */
typedef void channel_ping_fn(void *arg, struct span status, const struct error *err);
void channel_client_ping(struct channel_client *c, channel_ping_fn *fn, void *arg);

/* ---- the enclave's side ---- */

struct channel_server;

struct channel_server_config {
	struct parse_limits limits;
	/* part as in http/server_conn.h; id: the host's name for the exchange. */
	void (*on_request)(void *owner, struct channel_server *c, uint64_t id, struct leg *leg,
			   struct part *part);
	/* Something that is no frame, or a head that is none. The connection then closes. */
	void (*on_refused)(void *owner, struct channel_server *c, const struct error *err);
	/* The host asks how we are: to be answered with channel_server_pong_all, not from inside the call. */
	void (*on_ping)(void *owner);
	/* The host wants to hear of us (signals.h): the callee takes the stream. NULL: that is refused. */
	void (*on_watch)(void *owner, struct stream *s);
	/* It is to be a trunk, or a lane of one: likewise. */
	void (*on_trunk)(void *owner, struct stream *s, const struct trunk_hello *hello);
	void (*on_closed)(void *owner, struct channel_server *c); /* it has gone; no leg of it is out */
	void *owner;
	struct list conns; /* all of this configuration; the owner does list_init */
	unsigned count;
};

struct channel_server *channel_server_start(struct stream *s, struct channel_server_config *config);
/* Answers every ping that waits. status: JSON, at most FRAME_PONG_MAX bytes; copied. */
void channel_server_pong_all(struct channel_server_config *config, struct span status);
void channel_server_drain_all(
	struct channel_server_config *config); /* idle ones now, others after the exchange */
void channel_server_close_all(
	struct channel_server_config *config); /* at once, without on_closed. No leg is out */

#endif

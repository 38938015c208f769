/*
 * From a target to a stream that leads there, through the tunnel:
 *
 *	dial the tunnel --> ask it for host:port --> TLS, certificate and name verified --> stream
 *	                        the ClientHello goes right behind the request, without
 *	                        waiting for the tunnel's answer: one round trip less
 *
 * A CONNECT or an http:// target has no TLS of ours: the tunnel's answer is awaited, then bytes go as
 * they are.
 */
#ifndef PROXY_REACH_H
#define PROXY_REACH_H

#include "http/target.h"
#include "net/address.h"
#include "net/stream.h"
#include "proxy/trunk_client.h"
#include "tls/session.h"
#include "tls/tls_conf.h"

struct reach;

struct reach_config {
	struct address tunnel;
	struct trunk_client *trunk;	/* borrowed; NULL: a connection to the tunnel each time */
	const struct tls_conf *tls;	/* borrowed */
	struct session_cache *sessions; /* borrowed; NULL: no resumption */
	uint64_t tunnel_ms, tls_ms;
};

struct reach_result {
	struct stream *stream; /* the callee's */
	bool secure;	       /* TLS: tls_info() tells about it */
	uint64_t tunnel_us;    /* from dialling the tunnel to its answer */
	uint64_t tls_us;       /* from there to the verified certificate */
};

/* result NULL: err says why, with its hop: tunnel or service. */
typedef void reach_fn(void *arg, const struct reach_result *result, const struct error *err);

/* config and t (but for its path) are read until the callback. id: of the exchange, for the tunnel's log; 0: of none. */
struct reach *reach_start(struct loop *l, const struct reach_config *config, const struct target *t,
			  uint64_t id, reach_fn *fn, void *arg);
void reach_cancel(struct reach *r); /* of a ping, too */

/* Asks the tunnel how it is: err NULL and its JSON, valid during the call, or why it is not reached. */
typedef void reach_ping_fn(void *arg, struct span status, const struct error *err);
struct reach *reach_ping(struct loop *l, const struct reach_config *config, reach_ping_fn *fn, void *arg);

#endif

/*
 * The enclave's connections to services, through the tunnel:
 *
 *	dial the tunnel --> ask it for host:port --> TLS, certificate and name verified --> HTTP/1.1
 *	                        the ClientHello goes right behind the request, without
 *	                        waiting for the tunnel's answer: one round trip less
 *
 * Connections that can carry another exchange wait in a pool per target, the one used last
 * first. For CONNECT there is no TLS of ours: the tunnel's answer is awaited, then bytes
 * go as they are. Everything hangs off one loop.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "http/leg.h"
#include "http/parse.h"
#include "http/target.h"
#include "net/address.h"
#include "proxy/exchange.h"
#include "tls/session.h"
#include "tls/tls_conf.h"

struct upstream;

struct upstream_config {
	struct address tunnel;
	const struct tls_conf *tls;       /* borrowed */
	struct session_cache *sessions;   /* borrowed; NULL: no resumption */
	struct parse_limits limits;
	unsigned connections_per_target;  /* open to one target, in use or idle */
	unsigned idle_per_target, idle_total;
	uint64_t tunnel_ms, tls_ms, idle_ms;
};

struct upstream_stats {
	uint64_t opened, reused, tls_full, tls_resumed, failed;
	unsigned open, idle;
};

struct upstream *upstream_new(struct loop *l, const struct upstream_config *config);
/* No leg of it is out. What is being opened is cancelled. */
void upstream_free(struct upstream *u);

/*
 * For exchange_role.open: a leg to t. fresh: not from the pool. Failures: ERR_LIMIT when the target has
 * all its connections; those of dialling, of the tunnel (hop tunnel or service), of TLS (hop service).
 * trace: NULL, or where to tell about the connection; borrowed until the callback or upstream_cancel.
 */
void *upstream_open(struct upstream *u, const struct target *t, uint64_t id, bool fresh, struct trace *trace,
		    exchange_open_fn *fn, void *arg);
void upstream_cancel(struct upstream *u, void *opening);

/* Asks the tunnel how it is. One callback; err NULL and its JSON, or why it is not reached. */
typedef void upstream_ping_fn(void *arg, struct span status, const struct error *err);
void upstream_ping(struct upstream *u, upstream_ping_fn *fn, void *arg);

void upstream_close_idle(struct upstream *u);
const struct upstream_stats *upstream_stats(const struct upstream *u);

#endif

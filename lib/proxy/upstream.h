/*
 * The enclave's connections to services (proxy/reach.h makes them). Those that can carry
 * another exchange wait in a pool per target, the one used last first. Where requests had to wait for new
 * ones lately, the next is opened ahead: before the request that needs it. Everything hangs off one loop.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include "http/leg.h"
#include "http/parse.h"
#include "proxy/exchange.h"
#include "proxy/figures.h"
#include "proxy/reach.h"

struct upstream;

struct upstream_config {
	struct reach_config reach;
	struct parse_limits limits;
	unsigned connections_per_target; /* open to one target, in use or idle */
	unsigned idle_per_target, idle_total;
	uint64_t idle_ms;
	struct upstream_stats *stats; /* borrowed */
};

struct upstream *upstream_new(struct loop *l, const struct upstream_config *config);
/* No leg of it is out. What is being opened is cancelled. */
void upstream_free(struct upstream *u);

/*
 * For exchange_role.open: a leg to t. fresh: not from the pool. Failures: ERR_LIMIT when the target has
 * all its connections; those of reaching it. trace, peer: NULL, or where to tell about the connection;
 * borrowed until the callback or upstream_cancel. peer stays as it is without TLS.
 */
void *upstream_open(struct upstream *u, const struct target *t, uint64_t id, bool fresh, struct trace *trace,
		    struct tls_info *peer, exchange_open_fn *fn, void *arg);
void upstream_cancel(struct upstream *u, void *opening);

/* Asks the tunnel how it is. One at a time; none comes back once the upstream is freed. */
void upstream_ping(struct upstream *u, reach_ping_fn *fn, void *arg);

void upstream_close_idle(struct upstream *u);
/* Nothing is opened ahead any more: those that come are the last. */
void upstream_drain(struct upstream *u);

#endif

/*
 * The host's connections to the enclave. One is borrowed for each exchange and goes back
 * behind it, so there are as many as requests at a time, not as many as clients.
 */
#ifndef PROXY_ENCLAVE_POOL_H
#define PROXY_ENCLAVE_POOL_H

#include "http/leg.h"
#include "http/parse.h"
#include "net/address.h"
#include "proxy/channel.h"
#include "proxy/exchange.h"
#include "proxy/figures.h"

struct enclave_pool;

struct enclave_pool_config {
	struct address enclave;
	struct parse_limits limits;
	unsigned max;	  /* in use or idle */
	unsigned workers; /* trunk_client_config */
	uint64_t connect_ms;
	uint64_t idle_ms;
	struct trunk_stats *trunk;	  /* borrowed; NULL: no trunk is wanted */
	struct enclave_pool_stats *stats; /* borrowed */
};

struct enclave_pool *enclave_pool_new(struct loop *l, const struct enclave_pool_config *config);
void enclave_pool_close_idle(struct enclave_pool *p);
void enclave_pool_free(struct enclave_pool *p); /* no leg is out; what is being opened is cancelled */

/* For exchange_role.open. ERR_LIMIT when all connections are in use. */
void *enclave_pool_open(struct enclave_pool *p, uint64_t id, bool fresh, exchange_open_fn *fn, void *arg);
void enclave_pool_cancel(struct enclave_pool *p, void *opening);

/* One callback: the enclave's status (JSON) and how long it took, or why there is none. */
typedef void enclave_ping_fn(void *arg, struct span status, uint64_t us, const struct error *err);
void enclave_pool_ping(struct enclave_pool *p, enclave_ping_fn *fn, void *arg);

#endif

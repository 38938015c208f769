/*
 * Everything that one worker of a role counts, in one place that lies in shared memory: each worker writes
 * its own, and whoever is asked for /metrics adds them up. All of it is 64-bit numbers, so that adding up
 * needs to know nothing of what they mean, and a number is read whole while its worker changes it.
 *
 * Counters outlive their worker: its successor counts on. What is there at the moment (`open`, `idle`) does
 * not.
 */
#ifndef PROXY_FIGURES_H
#define PROXY_FIGURES_H

#include "proxy/metrics.h"

struct enclave_pool_stats {
	uint64_t opened, failed;
	uint64_t open, idle;
};

struct ingress_host_stats {
	uint64_t accepted, failed; /* failed: the enclave could not be reached */
	uint64_t up, down;	   /* bytes */
	uint64_t open;
};

struct upstream_stats {
	uint64_t opened, reused, tls_full, tls_resumed, failed;
	uint64_t ahead, ahead_used, ahead_failed; /* begun before a request needed it; of these: */
	uint64_t open, idle;
};

/* Of the trunk to the next process (proxy/trunk_client.h). */
struct trunk_stats {
	uint64_t lost;	/* ended otherwise than by agreement */
	uint64_t lanes; /* connections of their own that bulk was given */
	uint64_t up;
};

struct tunnel_stats {
	uint64_t accepted;  /* connections from the enclave */
	uint64_t connected; /* those that got to a service */
	uint64_t pings;
	uint64_t bytes_up, bytes_down; /* to and from services, of connections that are over */
	uint64_t errors[ERR_KINDS];
	uint64_t open; /* now */
};

struct figures {
	struct metrics metrics;
	struct enclave_pool_stats pool;
	struct ingress_host_stats ingress;
	struct upstream_stats upstream;
	struct tunnel_stats tunnel;
	struct trunk_stats trunk;
	uint64_t chain_hits; /* certificate chains that were known already */
	uint64_t receipts;   /* that were signed */
	uint64_t log_dropped;
	uint64_t connections; /* accepted and open: what a connection more is measured by */
	uint64_t beats;	      /* signs of life */
	uint64_t serving;     /* 1 while the worker does */
};

/* sum += one. */
void figures_add(struct figures *sum, const struct figures *one);
/* The worker is over: what was open is not. */
void figures_left(struct figures *f);

#endif

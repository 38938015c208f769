/*
 * Counters of one role, as Prometheus text (exposition format 0.0.4). Labels have few, fixed
 * values: status classes, error kinds, hops; never a target or a client.
 */
#ifndef PROXY_METRICS_H
#define PROXY_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "proxy/exchange.h"

/* Upper bounds of the latency buckets in milliseconds; one more is +Inf. */
#define METRICS_BOUNDS                                                                                       \
	{                                                                                                    \
		1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000                    \
	}
#define METRICS_BUCKETS 16

struct metrics {
	uint64_t by_class[6]; /* [2]: 2xx; [0]: the client got no status */
	uint64_t errors[ERR_KINDS][HOP_COUNT];
	uint64_t bytes_up, bytes_down;
	uint64_t repeated; /* exchanges that took more than one attempt */
	uint64_t latency[METRICS_BUCKETS];
	uint64_t latency_us, latency_count;
	uint64_t connections; /* accepted */
	uint64_t refused;     /* of them, requests that could not be read, or peers that may not connect */
};

void metrics_exchange(struct metrics *m, const struct exchange_info *info);
void metrics_error(struct metrics *m, const struct error *err);
/* role: the label that all of them carry. */
void metrics_render(const struct metrics *m, const char *role, struct buf *out);
/* Both expositions as one: families that both have stand once, with the samples of both. */
void metrics_merge(struct span first, struct span second, struct buf *out);
/* One more line, for gauges that others hold. type "gauge" or "counter". */
void metrics_line(struct buf *out, const char *role, const char *type, const char *name, const char *help,
		  uint64_t value);

#endif

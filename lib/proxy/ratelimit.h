/*
 * How much one client may ask: so many requests a second (a token bucket that holds one
 * second's worth or `burst`), and so many at a time. Clients are told apart by a key, see
 * ratelimit_key; the table is bounded and forgets who has been quiet longest.
 *
 * A client is never forgotten while it has something running. When every place in the
 * table is taken by such a one, a new client is refused: that many at a time is
 * beyond what the process was set up for.
 *
 * The table lies in shared memory: made before the workers of a role are forked it is one for all of them,
 * and a client has its rate once, not once a worker. What a worker had running that died is given back by its
 * successor.
 */
#ifndef PROXY_RATELIMIT_H
#define PROXY_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "net/stream.h"

struct ratelimit;
struct ratelimit_client;

struct ratelimit_settings {
	uint32_t per_second; /* 0: no limit */
	uint32_t burst;	     /* 0: as per_second */
	uint32_t at_a_time;  /* 0: no limit */
	uint32_t clients;    /* places in the table, > 0 */
	uint32_t workers;    /* that will share it; 0: one */
};

struct ratelimit *ratelimit_new(const struct ratelimit_settings *s);
void ratelimit_free(struct ratelimit *r); /* nothing is running; NULL is fine */

/* This process is that worker, 0 and up, and nothing that its predecessor had running runs any more. */
void ratelimit_join(struct ratelimit *r, uint32_t worker);

#define RATELIMIT_KEY_MAX 64
/*
 * The address without its port, and of IPv6 the /64 alone, which one client has as a whole:
 * "192.0.2.7", "2001:db8::/64"; "cid 16" and the like stay.
 */
void ratelimit_key(const struct stream_peer *peer, char out[RATELIMIT_KEY_MAX]);

/*
 * One request of that client begins: NULL with ERR_RATE, and after how many whole seconds (>= 1)
 * to come again. Otherwise give it back with ratelimit_done when the request is over.
 */
struct ratelimit_client *ratelimit_begin(struct ratelimit *r, const char *key, uint64_t now_ms,
					 unsigned *retry_after, struct error *err);
void ratelimit_done(struct ratelimit *r, struct ratelimit_client *c);

#endif

/* How long to wait before trying again: doubled each time, with jitter, so that many do not come back at
 * once. */
#ifndef PROXY_BACKOFF_H
#define PROXY_BACKOFF_H

#include <stdint.h>

#define BACKOFF_MAX_MS 30000

/* base_ms * 2^failures, at most BACKOFF_MAX_MS, times a random factor from 0.5 to 1. */
uint64_t backoff_delay(uint64_t base_ms, unsigned failures);

#endif

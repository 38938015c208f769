#include "proxy/backoff.h"

#include <sys/random.h>

uint64_t backoff_delay(uint64_t base_ms, unsigned failures)
{
	uint64_t ms = failures < 16 ? base_ms << failures : BACKOFF_MAX_MS;
	uint16_t random = 0;
	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = 0;
	return ms / 2 + ms / 2 * random / UINT16_MAX;
}

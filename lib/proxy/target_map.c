#include "proxy/target_map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

#define BUCKETS                                                                                              \
	1024 /* chains stay short: entries are bounded by connections that are open, and by who keeps some */

struct target_map {
	uint64_t seed; /* a client that picks names shall not be able to fill one bucket */
	struct target_entry *buckets[BUCKETS];
};

/* FNV-1a over a secret start, folded. */
static size_t bucket_of(const struct target_map *m, const char *host, uint16_t port, bool https)
{
	uint64_t h = m->seed ^ ((uint64_t)port << 1 | https);
	for (; *host; host++)
		h = (h ^ (uint8_t)*host) * 0x100000001b3u;
	h ^= h >> 32;
	h *= m->seed | 1;
	return (size_t)(h >> 40) % BUCKETS;
}

struct target_map *target_map_new(void)
{
	struct target_map *m = mem_zero(sizeof *m);
	if (getrandom(&m->seed, sizeof m->seed, 0) != sizeof m->seed)
		m->seed = (uintptr_t)m;
	return m;
}

void target_map_free(struct target_map *m)
{
	for (size_t i = 0; i < BUCKETS; i++)
		CHECK(!m->buckets[i]);
	free(m);
}

struct target_entry *target_map_find(struct target_map *m, const char *host, uint16_t port, bool https)
{
	struct target_entry *e = m->buckets[bucket_of(m, host, port, https)];
	while (e && !(e->port == port && e->https == https && strcmp(e->host, host) == 0))
		e = e->next;
	return e;
}

struct target_entry *target_map_hold(struct target_map *m, const char *host, uint16_t port, bool https)
{
	struct target_entry *e = target_map_find(m, host, port, https);
	if (!e) {
		struct target_entry **bucket = &m->buckets[bucket_of(m, host, port, https)];
		size_t n = strlen(host) + 1;
		e = mem_zero(sizeof *e + n);
		memcpy(e->host, host, n);
		e->port = port;
		e->https = https;
		list_init(&e->idle);
		e->next = *bucket;
		*bucket = e;
	}
	e->users++;
	return e;
}

static void leave_if_unused(struct target_map *m, struct target_entry *e)
{
	if (e->users > 0 || e->kept)
		return;
	struct target_entry **at = &m->buckets[bucket_of(m, e->host, e->port, e->https)];
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	free(e);
}

void target_map_release(struct target_map *m, struct target_entry *e)
{
	e->users--;
	leave_if_unused(m, e);
}

void target_map_keep(struct target_entry *e)
{
	e->kept = true;
}

void target_map_unkeep(struct target_map *m, struct target_entry *e)
{
	e->kept = false;
	leave_if_unused(m, e);
}

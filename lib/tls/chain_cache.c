#include "tls/chain_cache.h"

#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "tls/trust.h"

/* What the hash is over begins with; another rule for verdicts is another name. */
#define LABEL "nitroproxy chain 1"

struct kept {
	struct list link;
	uint8_t key[32];
	int64_t from, until; /* both included */
	struct chain_verdict verdict;
};

struct chain_cache {
	const struct trust *trust; /* borrowed */
	uint8_t trust_sha256[32];
	pthread_mutex_t lock;
	struct list kept; /* the last used first */
	size_t count, max;
	uint64_t hits, misses;
};

static struct kept *kept_of(struct list *link)
{
	return container_of(link, struct kept, link);
}

struct chain_cache *chain_cache_new(const struct trust *trust, size_t max)
{
	struct chain_cache *c = mem_zero(sizeof *c);
	CHECK(max > 0);
	c->trust = trust;
	c->max = max;
	trust_sha256(trust, c->trust_sha256);
	list_init(&c->kept);
	CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
	return c;
}

static void discard(struct chain_cache *c, struct kept *k)
{
	list_remove(&k->link);
	c->count--;
	free(k);
}

void chain_cache_free(struct chain_cache *c)
{
	if (!c)
		return;
	LIST_EACH (link, &c->kept)
		discard(c, kept_of(link));
	CHECK(pthread_mutex_destroy(&c->lock) == 0);
	free(c);
}

bool chain_cache_is_for(const struct chain_cache *c, const struct trust *trust)
{
	return c->trust == trust;
}

static void hash_bytes(mbedtls_sha256_context *sha, const void *p, size_t n)
{
	CHECK(mbedtls_sha256_update(sha, p, n) == 0);
}

/* Its length in front, so that no two lists of texts come to the same bytes. */
static void hash_text(mbedtls_sha256_context *sha, const void *p, size_t n)
{
	uint8_t length[8];
	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	hash_bytes(sha, length, sizeof length);
	hash_bytes(sha, p, n);
}

void chain_cache_key(const struct chain_cache *c, const struct mbedtls_x509_crt *chain, const char *host,
		     uint8_t key[32])
{
	mbedtls_sha256_context sha;
	mbedtls_sha256_init(&sha);
	CHECK(mbedtls_sha256_starts(&sha, 0) == 0);
	hash_bytes(&sha, LABEL, sizeof LABEL);
	hash_bytes(&sha, c->trust_sha256, sizeof c->trust_sha256);
	hash_text(&sha, host, strlen(host));
	for (; chain; chain = chain->next)
		hash_text(&sha, chain->raw.p, chain->raw.len);
	CHECK(mbedtls_sha256_finish(&sha, key) == 0);
	mbedtls_sha256_free(&sha);
}

static struct kept *look(struct chain_cache *c, const uint8_t key[32])
{
	LIST_EACH (link, &c->kept)
		if (memcmp(kept_of(link)->key, key, 32) == 0)
			return kept_of(link);
	return NULL;
}

/* A clock that was set back leaves verdicts of the future: those do not count, either. */
static bool find(struct chain_cache *c, const uint8_t key[32], int64_t at, struct chain_verdict *v)
{
	struct kept *k = look(c, key);
	if (!k)
		return false;
	if (at < k->from || at > k->until) {
		discard(c, k);
		return false;
	}
	list_remove(&k->link);
	list_prepend(&c->kept, &k->link);
	*v = k->verdict;
	return true;
}

bool chain_cache_find(struct chain_cache *c, const uint8_t key[32], int64_t at, struct chain_verdict *v)
{
	CHECK(pthread_mutex_lock(&c->lock) == 0);
	bool found = find(c, key, at, v);
	c->hits += found;
	c->misses += !found;
	CHECK(pthread_mutex_unlock(&c->lock) == 0);
	return found;
}

void chain_cache_put(struct chain_cache *c, const uint8_t key[32], int64_t at, const struct chain_verdict *v)
{
	struct kept *k = mem_zero(sizeof *k);
	memcpy(k->key, key, sizeof k->key);
	k->from = at;
	k->until = at + CHAIN_CACHE_SECONDS < v->not_after ? at + CHAIN_CACHE_SECONDS : v->not_after;
	k->verdict = *v;
	CHECK(pthread_mutex_lock(&c->lock) == 0);
	struct kept *twin = look(c, key); /* another thread was as quick */
	if (twin)
		discard(c, twin);
	else if (c->count == c->max)
		discard(c, kept_of(c->kept.prev));
	list_prepend(&c->kept, &k->link);
	c->count++;
	CHECK(pthread_mutex_unlock(&c->lock) == 0);
}

void chain_cache_stats(struct chain_cache *c, struct chain_cache_stats *out)
{
	CHECK(pthread_mutex_lock(&c->lock) == 0);
	*out = (struct chain_cache_stats){.hits = c->hits, .misses = c->misses, .count = c->count};
	CHECK(pthread_mutex_unlock(&c->lock) == 0);
}

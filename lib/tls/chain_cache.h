/*
 * Chains that have been verified: what was proved once need not be proved again for every
 * connection. A verdict depends on nothing but
 *
 *	the certificates sent, byte for byte and in their order
 *	the host they were to prove
 *	the trust store
 *	the time
 *
 * A SHA-256 of the first three is the key, so that two chains with one key are the same
 * chain. Time only matters at the ends of the certificates' validity: a verdict is taken
 * from when it was made to when the first certificate of its path expires, and for a day
 * at most. Only acceptance is kept: a refusal is cheap to come by, and may be cured.
 *
 * What it saves is the search for a path and its signatures. verify_chain still judges the
 * leaf for host and time, and the handshake still checks that the peer has the leaf's key.
 *
 * Bounded; the longest unused verdict goes first. Any thread may use it. It lives and dies
 * with the configuration whose trust store it was made for.
 */
#ifndef TLS_CHAIN_CACHE_H
#define TLS_CHAIN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAIN_CACHE_SECONDS (24 * 3600)

struct chain_cache;
struct mbedtls_x509_crt;
struct trust;

struct chain_verdict {
	size_t length;	   /* certificates of the path */
	int64_t not_after; /* when the first of them expires, seconds since 1970 */
};

struct chain_cache_stats {
	uint64_t hits, misses;
	size_t count; /* kept now */
};

/* trust: borrowed, complete. */
struct chain_cache *chain_cache_new(const struct trust *trust, size_t max);
void chain_cache_free(struct chain_cache *c); /* NULL is fine */
/* A verdict under another trust store must not come here. */
bool chain_cache_is_for(const struct chain_cache *c, const struct trust *trust);

void chain_cache_key(const struct chain_cache *c, const struct mbedtls_x509_crt *chain, const char *host,
		     uint8_t key[32]);
bool chain_cache_find(struct chain_cache *c, const uint8_t key[32], int64_t at, struct chain_verdict *v);
/* The chain has been accepted at this time. */
void chain_cache_put(struct chain_cache *c, const uint8_t key[32], int64_t at, const struct chain_verdict *v);
void chain_cache_stats(struct chain_cache *c, struct chain_cache_stats *out);

#endif

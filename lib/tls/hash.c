#include "tls/hash.h"

#include <errno.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/md.h>
#include <mbedtls/pkcs5.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/mem.h"
#include "tls/tls_error.h"

static const unsigned char *bytes(struct span s)
{
	return (const unsigned char *)s.p;
}

void hash_sha256(const struct span *v, size_t count, uint8_t out[HASH_SIZE])
{
	mbedtls_sha256_context ctx;

	mbedtls_sha256_init(&ctx);
	CHECK(mbedtls_sha256_starts(&ctx, 0) == 0);
	for (size_t i = 0; i < count; i++)
		CHECK(mbedtls_sha256_update(&ctx, bytes(v[i]), v[i].n) == 0);
	CHECK(mbedtls_sha256_finish(&ctx, out) == 0);
	mbedtls_sha256_free(&ctx);
}

struct hash_stream {
	mbedtls_sha256_context ctx;
};

struct hash_stream *hash_stream_start(void)
{
	struct hash_stream *h = mem_zero(sizeof *h);

	mbedtls_sha256_init(&h->ctx);
	CHECK(mbedtls_sha256_starts(&h->ctx, 0) == 0);
	return h;
}

void hash_stream_add(struct hash_stream *h, struct span s)
{
	CHECK(mbedtls_sha256_update(&h->ctx, bytes(s), s.n) == 0);
}

void hash_stream_end(struct hash_stream *h, uint8_t out[HASH_SIZE])
{
	if (!h)
		return;
	if (out)
		CHECK(mbedtls_sha256_finish(&h->ctx, out) == 0);
	mbedtls_sha256_free(&h->ctx);
	free(h);
}

void hash_hmac(const uint8_t key[HASH_SIZE], const struct span *v, size_t count, uint8_t out[HASH_SIZE])
{
	mbedtls_md_context_t ctx;

	mbedtls_md_init(&ctx);
	tls_must(mbedtls_md_setup(&ctx, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1));
	CHECK(mbedtls_md_hmac_starts(&ctx, key, HASH_SIZE) == 0);
	for (size_t i = 0; i < count; i++)
		CHECK(mbedtls_md_hmac_update(&ctx, bytes(v[i]), v[i].n) == 0);
	CHECK(mbedtls_md_hmac_finish(&ctx, out) == 0);
	mbedtls_md_free(&ctx);
}

void hash_pbkdf2(struct span password, struct span salt, unsigned iterations, uint8_t out[HASH_SIZE])
{
	CHECK(iterations > 0);
	tls_must(mbedtls_pkcs5_pbkdf2_hmac_ext(MBEDTLS_MD_SHA256, bytes(password), password.n, bytes(salt),
					       salt.n, iterations, HASH_SIZE, out));
}

bool hash_equal(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE])
{
	return mbedtls_ct_memcmp(a, b, HASH_SIZE) == 0;
}

void hash_random_key(uint8_t key[HASH_SIZE])
{
	ssize_t n;

	do
		n = getrandom(key, HASH_SIZE, 0);
	while (n < 0 && errno == EINTR);
	CHECK(n == HASH_SIZE); /* 256 bytes and less are given whole or not at all */
}

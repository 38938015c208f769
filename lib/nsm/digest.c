#include "nsm/digest.h"

#include <psa/crypto.h>

#include "base/check.h"

/* With valid arguments these fail only when the library is out of memory or was not built for it. */
static void hash(psa_algorithm_t algorithm, const struct span *v, size_t count, uint8_t *out, size_t size)
{
	psa_hash_operation_t op = PSA_HASH_OPERATION_INIT;
	size_t got;
	CHECK(psa_crypto_init() == PSA_SUCCESS);
	CHECK(psa_hash_setup(&op, algorithm) == PSA_SUCCESS);
	for (size_t i = 0; i < count; i++)
		CHECK(psa_hash_update(&op, (const uint8_t *)v[i].p, v[i].n) == PSA_SUCCESS);
	CHECK(psa_hash_finish(&op, out, size, &got) == PSA_SUCCESS && got == size);
}

void digest_sha256(struct span in, uint8_t out[SHA256_SIZE])
{
	hash(PSA_ALG_SHA_256, &in, 1, out, SHA256_SIZE);
}

void digest_sha384(struct span a, struct span b, uint8_t out[SHA384_SIZE])
{
	hash(PSA_ALG_SHA_384, (const struct span[]){a, b}, 2, out, SHA384_SIZE);
}

void digest_sha384_all(const struct span *v, size_t count, uint8_t out[SHA384_SIZE])
{
	hash(PSA_ALG_SHA_384, v, count, out, SHA384_SIZE);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_from_hex(struct span hex, uint8_t *out, size_t size)
{
	if (hex.n != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void digest_to_hex(const uint8_t *in, size_t size, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < size; i++) {
		*hex++ = digits[in[i] >> 4];
		*hex++ = digits[in[i] & 15];
	}
	*hex = '\0';
}

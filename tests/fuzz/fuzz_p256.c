/*
 * ECDSA over P-256, ours against mbedTLS's own and libcrypto's: all three must say the same.
 *
 *	byte 0	bit 0: what follows is x, y, r, s as they are; else d, u1, u2 of a valid signature
 *		bit 1..3: a number is replaced by a special one, see below
 *	byte 1	which numbers are replaced, by which special ones
 *	byte 2	size of the hash, up to 64
 *	byte 3	bit that is flipped at last, of x, y, r, s or the hash; 0: none
 *	then	three or four numbers, and the hash
 */
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "support/p256_case.h"

#define HEAD 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* n, p and the word sizes around them: where carries and comparisons may go wrong */
static const uint8_t special[][32] = {
	{0},
	{[31] = 1},
	{[31] = 2},
	{[15] = 1},
	{0xff, 0xff, 0xff, 0xff, 0,    0,    0,	   0,	 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51},
	{0xff, 0xff, 0xff, 0xff, 0,    0,    0,	   0,	 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x50},
	{0xff, 0xff, 0xff, 0xff, 0,    0,    0,	   1,	 [20] = 0xff, 0xff,
	 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,	      0xff},
	{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
};

static bool is_zero_mod_order(const uint8_t a[32])
{
	return memcmp(a, special[0], 32) == 0 || memcmp(a, special[4], 32) == 0;
}

static size_t take(uint8_t *out, size_t wanted, const uint8_t *data, size_t size)
{
	size_t n = wanted < size ? wanted : size;
	memset(out, 0, wanted);
	memcpy(out, data, n);
	return n;
}

/* -1: libcrypto does not take the key. */
static int with_libcrypto(const struct p256_case *c)
{
	uint8_t key[65] = {4};
	memcpy(key + 1, c->x, 32);
	memcpy(key + 33, c->y, 32);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	CHECK(build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
	      OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, key, sizeof key) == 1);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *make = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;
	CHECK(params && make && EVP_PKEY_fromdata_init(make) == 1);
	int verdict = -1;
	if (EVP_PKEY_fromdata(make, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1) {
		ECDSA_SIG *sig = ECDSA_SIG_new();
		unsigned char *der = NULL;
		CHECK(sig && ECDSA_SIG_set0(sig, BN_bin2bn(c->r, 32, NULL), BN_bin2bn(c->s, 32, NULL)) == 1);
		int n = i2d_ECDSA_SIG(sig, &der);
		EVP_PKEY_CTX *verify = EVP_PKEY_CTX_new(pkey, NULL);
		CHECK(n > 0 && verify && EVP_PKEY_verify_init(verify) == 1);
		verdict = EVP_PKEY_verify(verify, der, (size_t)n, c->hash, c->hash_size) == 1;
		EVP_PKEY_CTX_free(verify);
		OPENSSL_free(der);
		ECDSA_SIG_free(sig);
	}
	EVP_PKEY_free(pkey);
	EVP_PKEY_CTX_free(make);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return verdict;
}

static void check(const struct p256_case *c, int expected)
{
	bool ours = p256_case_verify(c), stock = p256_case_verify_stock(c);
	int libcrypto = with_libcrypto(c);
	CHECK(ours == stock);
	CHECK(libcrypto == -1 ? !ours : ours == libcrypto);
	CHECK(expected == -1 || ours == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	struct p256_case c = {0};
	uint8_t number[4][32];
	const unsigned how = data[0], which = data[1], hash_size = data[2] % 65u, flip = data[3];
	data += HEAD;
	size -= HEAD;
	for (int i = 0; i < 4; i++) {
		size_t used = take(number[i], 32, data, size);
		data += used;
		size -= used;
	}
	for (int i = 0; i < 3; i++)
		if (how & 2u << i)
			memcpy(number[i], special[(which >> 2 * i) % countof(special)], 32);
	int expected = -1;
	if (how & 1) {
		memcpy(c.x, number[0], 32);
		memcpy(c.y, number[1], 32);
		memcpy(c.r, number[2], 32);
		memcpy(c.s, number[3], 32);
		(void)take(c.hash, hash_size, data, size);
		c.hash_size = hash_size;
	} else {
		if (is_zero_mod_order(number[0]) || is_zero_mod_order(number[2]))
			return 0;
		expected = p256_case_make(&c, number[0], number[1], number[2]);
	}
	check(&c, expected);
	if (!flip)
		return 0;
	uint8_t *const part[] = {c.x, c.y, c.r, c.s, c.hash};
	part[flip % 5][flip / 8 % 32] ^= (uint8_t)(1 << flip % 8);
	check(&c, -1);
	return 0;
}

/*
 * ECDSA over P-256 through mbedtls_ecdsa_read_signature, whoever answers it (p256_verify.c, or mbedTLS with
 * NP_P256_VERIFY=OFF), against mbedtls_ecdsa_verify, which is always mbedTLS's own: signatures that are valid, made
 * to meet every corner.
 */
#include <mbedtls/ecdsa.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/p256_expect.h"

/* xorshift64*: the same cases in every run */
static void random_bytes(uint8_t *out, size_t size)
{
	static uint64_t state = 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < size; i++) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		out[i] = (uint8_t)(state * 0x2545f4914f6cdd1d >> 56);
	}
}

static void known(const char *hash, const char *r, const char *s)
{
	struct p256_case c;
	p256_set(c.x, "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
	p256_set(c.y, "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
	p256_set(c.r, r);
	p256_set(c.s, s);
	c.hash_size = p256_unhex(c.hash, sizeof c.hash, hash);
	p256_expect(&c, true);
	c.hash[0] ^= 1;
	p256_expect(&c, false);
}

/* RFC 6979, A.2.5: "sample" under SHA-256, SHA-1 and SHA-512 */
static void vectors(void **state)
{
	(void)state;
	known("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf",
	      "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
	      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
	known("8151325dcdbae9e0ff95f9f9658432dbedfdb209",
	      "61340c88c3aaebeb4f6d667f672ca9759a6ccaa9fa8811313039ee4a35471d32",
	      "6d7f147dac089441bb2e2fe8f7a3fa264b9c475098fdcf6e00d7c996e1b8b7eb");
	known("39a5e04aaff7455d9850c605364f514c11324ce64016960d23d5dc57d3ffd8f4"
	      "9a739468ab8049bf18eef820cdb1ad6c9015f838556bc7fad4138b23fdf986c7",
	      "8496a60b5e9b47c825488827e0495b0e3fa109ec4568fd3f8d1097678eb97f00",
	      "2362ab1adbe2b8adf9cb9edab740ea6049c028114f2460f96554f61fae3302fe");
}

static void corner_scalars(void **state)
{
	(void)state;
	uint8_t d[32], u1[32], u2[32];
	unsigned infinite = 0;
	for (size_t i = 1; i < P256_CORNERS; i += 1 + i / 2)
		for (size_t j = 0; j < P256_CORNERS; j += 1 + i % 2)
			for (size_t k = 1; k < P256_CORNERS; k += 2 + (i + j) % 3) {
				struct p256_case c;
				p256_set(d, p256_corners[i]);
				p256_set(u1, p256_corners[j]);
				p256_set(u2, p256_corners[k]);
				bool good = p256_case_make(&c, d, u1, u2);
				infinite += !good;
				assert_int_equal(p256_case_verify(&c), good);
				if (k % 8 == 1)
					assert_int_equal(p256_case_verify_stock(&c), good);
			}
	assert_true(infinite > 3); /* u1 = -u2 d has been among them */
}

/* Q = G, -G, 2G and 2^-1 G meet themselves in the tables: the sum doubles, or vanishes. */
static void special_keys(void **state)
{
	(void)state;
	static const char *const keys[] = {SMALL("01"), ORDER_MINUS_1, SMALL("02"), ORDER_MINUS_2,
					   ORDER_HALF_UP};
	for (size_t i = 0; i < countof(keys); i++)
		for (unsigned u = 1; u < 64; u += u < 16 ? 1 : 3) {
			struct p256_case c;
			uint8_t d[32], u1[32] = {0}, u2[32] = {0};
			p256_set(d, keys[i]);
			u1[31] = (uint8_t)u;
			u2[31] = (uint8_t)(i % 2 ? u : 64 - u);
			bool good = p256_case_make(&c, d, u1, u2);
			assert_int_equal(p256_case_verify(&c), good);
			if (u % 8 == 0)
				assert_int_equal(p256_case_verify_stock(&c), good);
		}
}

static void random_cases(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		struct p256_case c;
		uint8_t d[32], u1[32], u2[32];
		random_bytes(d, 32);
		random_bytes(u1, 32);
		random_bytes(u2, 32);
		assert_true(p256_case_make(&c, d, u1, u2));
		p256_expect(&c, true);
		p256_expect_same_when_flipped(&c, i * 43);
	}
}

/* x(R) is above n for some points: r is then what is left, and r + n has to be tried. */
static void large_x(void **state)
{
	(void)state;
	unsigned found = 0;
	for (unsigned i = 0; i < 16; i++) {
		struct p256_case c;
		uint8_t x[32];
		p256_set(x, ORDER);
		x[30] = (uint8_t)(x[30] + 1 + i / 8);
		x[31] = (uint8_t)(x[31] + i);
		if (!p256_case_with_x(&c, x))
			continue;
		found++;
		static const uint8_t zeros[30];
		assert_memory_equal(c.r, zeros, sizeof zeros); /* x - n */
		p256_expect(&c, true);
		c.r[31] ^= 1;
		p256_expect(&c, false);
	}
	assert_true(found > 3);
}

/* Other curves are none of this code's business. */
static void other_curve(void **state)
{
	(void)state;
	mbedtls_ecdsa_context key;
	uint8_t sig[MBEDTLS_ECDSA_MAX_LEN], hash[48] = {7};
	size_t n;
	mbedtls_ecdsa_init(&key);
	/* d = 1, so Q = G */
	assert_int_equal(mbedtls_ecp_group_load(&key.MBEDTLS_PRIVATE(grp), MBEDTLS_ECP_DP_SECP384R1), 0);
	assert_int_equal(mbedtls_mpi_lset(&key.MBEDTLS_PRIVATE(d), 1), 0);
	assert_int_equal(mbedtls_ecp_copy(&key.MBEDTLS_PRIVATE(Q), &key.MBEDTLS_PRIVATE(grp).G), 0);
	assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
	assert_int_equal(mbedtls_ecdsa_write_signature(&key, MBEDTLS_MD_SHA384, hash, sizeof hash, sig,
						       sizeof sig, &n, mbedtls_psa_get_random,
						       MBEDTLS_PSA_RANDOM_STATE),
			 0);
	assert_int_equal(mbedtls_ecdsa_read_signature(&key, hash, sizeof hash, sig, n), 0);
	hash[0]++;
	assert_int_not_equal(mbedtls_ecdsa_read_signature(&key, hash, sizeof hash, sig, n), 0);
	mbedtls_ecdsa_free(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),	cmocka_unit_test(corner_scalars),
		cmocka_unit_test(special_keys), cmocka_unit_test(random_cases),
		cmocka_unit_test(large_x),	cmocka_unit_test(other_curve),
	};
	return cmocka_run_group_tests(tests, NULL, p256_expect_tear_down);
}

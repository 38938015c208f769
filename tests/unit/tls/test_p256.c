/*
 * ECDSA over P-256 through mbedtls_ecdsa_read_signature, whoever answers it (p256_verify.c, or mbedTLS with
 * NP_P256_VERIFY=OFF), against mbedtls_ecdsa_verify, which is always mbedTLS's own.
 */
#include <mbedtls/ecdsa.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/p256_case.h"

#define ORDER	       "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ORDER_MINUS_1  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"
#define ORDER_MINUS_2  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254f"
#define ORDER_PLUS_1   "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552"
#define ORDER_HALF_UP  "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9"
#define PRIME	       "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define PRIME_MINUS_1  "ffffffff00000001000000000000000000000000fffffffffffffffffffffffe"
#define ALL_ONES       "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define MANY_ZEROS     "0000000100000000000000000000000000000000000000000000000000000001"
#define TWO_128	       "0000000000000000000000000000000100000000000000000000000000000000"
#define LONG_RUNS      "00ffffffffffffff0000000000000000ffffffffffffffff0000000000000001"
#define ALTERNATING    "5555555555555555555555555555555555555555555555555555555555555555"
#define SMALL(two_hex) "00000000000000000000000000000000000000000000000000000000000000" two_hex
#define ZERO	       SMALL("00")

/* Below n as they are or once reduced; the first is 0. */
static const char *const corners[] = {
	ZERO,	       SMALL("01"),   SMALL("02"), SMALL("03"), SMALL("0f"), SMALL("10"),
	SMALL("7f"),   SMALL("80"),   SMALL("81"), SMALL("ff"), TWO_128,     LONG_RUNS,
	ORDER_MINUS_1, ORDER_MINUS_2, MANY_ZEROS,  ALTERNATING, ALL_ONES,    ORDER_HALF_UP,
};

static size_t unhex(uint8_t *out, size_t size, const char *hex)
{
	size_t n = strlen(hex) / 2;
	assert_true(n <= size);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

static void set(uint8_t out[32], const char *hex)
{
	assert_int_equal(unhex(out, 32, hex), 32);
}

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

static void expect(const struct p256_case *c, bool good)
{
	assert_int_equal(p256_case_verify_stock(c), good);
	assert_int_equal(p256_case_verify(c), good);
}

/* One bit of key, hash, r or s: both say the same. */
static void expect_same_when_flipped(const struct p256_case *good, size_t bit)
{
	struct p256_case c = *good;
	uint8_t *const part[] = {c.x, c.y, c.r, c.s, c.hash};
	part[bit / 256 % 5][bit % 256 / 8] ^= (uint8_t)(1 << bit % 8);
	bool stock = p256_case_verify_stock(&c);
	assert_int_equal(p256_case_verify(&c), stock);
}

/* ---- valid, made to meet every corner ---- */

static void known(const char *hash, const char *r, const char *s)
{
	struct p256_case c;
	set(c.x, "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
	set(c.y, "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
	set(c.r, r);
	set(c.s, s);
	c.hash_size = unhex(c.hash, sizeof c.hash, hash);
	expect(&c, true);
	c.hash[0] ^= 1;
	expect(&c, false);
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
	for (size_t i = 1; i < countof(corners); i += 1 + i / 2)
		for (size_t j = 0; j < countof(corners); j += 1 + i % 2)
			for (size_t k = 1; k < countof(corners); k += 2 + (i + j) % 3) {
				struct p256_case c;
				set(d, corners[i]);
				set(u1, corners[j]);
				set(u2, corners[k]);
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
			set(d, keys[i]);
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
		expect(&c, true);
		expect_same_when_flipped(&c, i * 43);
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
		set(x, ORDER);
		x[30] = (uint8_t)(x[30] + 1 + i / 8);
		x[31] = (uint8_t)(x[31] + i);
		if (!p256_case_with_x(&c, x))
			continue;
		found++;
		static const uint8_t zeros[30];
		assert_memory_equal(c.r, zeros, sizeof zeros); /* x - n */
		expect(&c, true);
		c.r[31] ^= 1;
		expect(&c, false);
	}
	assert_true(found > 3);
}

/* ---- what must be refused ---- */

static struct p256_case good_case(void)
{
	struct p256_case c;
	uint8_t d[32], u1[32], u2[32];
	memset(d, 0x11, 32);
	memset(u1, 0x22, 32);
	memset(u2, 0x33, 32);
	assert_true(p256_case_make(&c, d, u1, u2));
	return c;
}

static void ranges(void **state)
{
	(void)state;
	static const char *const outside[] = {ZERO, ORDER, ORDER_PLUS_1, PRIME, ALL_ONES};
	for (size_t i = 0; i < countof(outside); i++) {
		struct p256_case c = good_case();
		set(c.r, outside[i]);
		expect(&c, false);
		c = good_case();
		set(c.s, outside[i]);
		expect(&c, false);
		set(c.r, outside[i]);
		expect(&c, false);
	}
	/* inside, and wrong */
	for (size_t i = 1; i < countof(corners); i++) {
		struct p256_case c = good_case();
		set(c.r, corners[i]);
		expect(&c, false);
		c = good_case();
		set(c.s, corners[i]);
		expect(&c, false);
	}
}

/* -s is as good as s in ECDSA; r, s and hash exchanged are not. */
static void symmetries(void **state)
{
	(void)state;
	struct p256_case c = good_case();
	uint8_t order[32];
	int borrow = 0;
	set(order, ORDER);
	for (int i = 31; i >= 0; i--) {
		int v = order[i] - c.s[i] - borrow;
		borrow = v < 0;
		c.s[i] = (uint8_t)v;
	}
	expect(&c, true);
	c = good_case();
	memcpy(c.r, good_case().s, 32);
	memcpy(c.s, good_case().r, 32);
	expect(&c, false);
	c = good_case();
	memcpy(c.y, c.x, 32);
	expect(&c, false);
}

static void bad_keys(void **state)
{
	(void)state;
	static const char *const numbers[] = {ZERO, SMALL("01"), PRIME_MINUS_1, PRIME, ALL_ONES};
	for (size_t i = 0; i < countof(numbers); i++)
		for (size_t j = 0; j < countof(numbers); j++) {
			struct p256_case c = good_case();
			set(c.x, numbers[i]);
			set(c.y, numbers[j]);
			expect(&c, false);
		}
	for (size_t bit = 0; bit < 512; bit += 17)
		expect_same_when_flipped(&(struct p256_case){0}, bit);
}

/* Of a longer hash the first 32 bytes count; a shorter one is a smaller number. */
static void hash_sizes(void **state)
{
	(void)state;
	struct p256_case c = good_case();
	memset(c.hash + 32, 0xee, 32);
	for (size_t n = 32; n <= 64; n += 8) {
		c.hash_size = n;
		expect(&c, true);
	}
	c.hash_size = 31;
	expect(&c, false);

	uint8_t d[32], u1[32] = {0}, u2[32];
	memset(d, 0x11, 32);
	memset(u2, 0x33, 32);
	assert_true(p256_case_make(&c, d, u1, u2)); /* the hash is 0 */
	for (size_t n = 0; n <= 64; n++) {
		memset(c.hash, 0, sizeof c.hash);
		c.hash_size = n;
		expect(&c, true);
		if (n) {
			c.hash[n < 32 ? n - 1 : 31] = 1;
			expect(&c, false);
		}
	}
}

static int read_der(const char *hex)
{
	uint8_t sig[256];
	size_t n = unhex(sig, sizeof sig, hex);
	struct p256_case c = good_case();
	uint8_t key[65] = {4};
	memcpy(key + 1, c.x, 32);
	memcpy(key + 33, c.y, 32);
	mbedtls_ecdsa_context ctx;
	mbedtls_ecdsa_init(&ctx);
	assert_int_equal(mbedtls_ecp_group_load(&ctx.MBEDTLS_PRIVATE(grp), MBEDTLS_ECP_DP_SECP256R1), 0);
	assert_int_equal(mbedtls_ecp_point_read_binary(&ctx.MBEDTLS_PRIVATE(grp), &ctx.MBEDTLS_PRIVATE(Q),
						       key, sizeof key),
			 0);
	int rc = mbedtls_ecdsa_read_signature(&ctx, c.hash, c.hash_size, sig, n);
	mbedtls_ecdsa_free(&ctx);
	return rc;
}

static void encodings(void **state)
{
	(void)state;
	char r[65], s[65], text[512];
	struct p256_case c = good_case();
	for (int i = 0; i < 32; i++) {
		snprintf(r + 2 * i, 3, "%02x", c.r[i]);
		snprintf(s + 2 * i, 3, "%02x", c.s[i]);
	}
#define DER(rc, ...)                                                                                         \
	do {                                                                                                 \
		snprintf(text, sizeof text, __VA_ARGS__);                                                    \
		assert_int_equal(read_der(text) == 0, rc);                                                   \
	} while (0)
	DER(true,
	    "30460221"
	    "00%s"
	    "0221"
	    "00%s",
	    r, s);
	DER(true,
	    "30480222"
	    "0000%s"
	    "0222"
	    "0000%s",
	    r, s);
	DER(false,
	    "30460221"
	    "01%s"
	    "0221"
	    "00%s",
	    r, s);
	DER(false,
	    "30460221"
	    "00%s"
	    "0221"
	    "01%s",
	    r, s);
	DER(false,
	    "30480221"
	    "00%s"
	    "0221"
	    "00%s"
	    "0000",
	    r, s); /* more inside */
	DER(false,
	    "30460221"
	    "00%s"
	    "0221"
	    "00%s"
	    "0000",
	    r, s); /* more behind */
	DER(false,
	    "30450221"
	    "00%s"
	    "0221"
	    "00%s",
	    r, s);
	DER(false,
	    "31460221"
	    "00%s"
	    "0221"
	    "00%s",
	    r, s);
	DER(false,
	    "30460221"
	    "00%s"
	    "0421"
	    "00%s",
	    r, s);
	DER(false,
	    "30230221"
	    "00%s",
	    r);
	DER(false, "30040200"
		   "0200");
	DER(false, "3000");
	DER(false, "30");
	DER(false, "%s", "");
#undef DER
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

static int free_curve(void **state)
{
	(void)state;
	p256_case_free();
	mbedtls_psa_crypto_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),	cmocka_unit_test(corner_scalars),
		cmocka_unit_test(special_keys), cmocka_unit_test(random_cases),
		cmocka_unit_test(large_x),	cmocka_unit_test(ranges),
		cmocka_unit_test(symmetries),	cmocka_unit_test(bad_keys),
		cmocka_unit_test(hash_sizes),	cmocka_unit_test(encodings),
		cmocka_unit_test(other_curve),
	};
	return cmocka_run_group_tests(tests, NULL, free_curve);
}

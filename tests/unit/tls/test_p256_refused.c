/* ECDSA over P-256, as in test_p256.c: what must be refused, and what stands close to it and is good. */
#include <mbedtls/ecdsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/p256_expect.h"

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
		p256_set(c.r, outside[i]);
		p256_expect(&c, false);
		c = good_case();
		p256_set(c.s, outside[i]);
		p256_expect(&c, false);
		p256_set(c.r, outside[i]);
		p256_expect(&c, false);
	}
	/* inside, and wrong */
	for (size_t i = 1; i < P256_CORNERS; i++) {
		struct p256_case c = good_case();
		p256_set(c.r, p256_corners[i]);
		p256_expect(&c, false);
		c = good_case();
		p256_set(c.s, p256_corners[i]);
		p256_expect(&c, false);
	}
}

/* -s is as good as s in ECDSA; r, s and hash exchanged are not. */
static void symmetries(void **state)
{
	(void)state;
	struct p256_case c = good_case();
	uint8_t order[32];
	int borrow = 0;
	p256_set(order, ORDER);
	for (int i = 31; i >= 0; i--) {
		int v = order[i] - c.s[i] - borrow;
		borrow = v < 0;
		c.s[i] = (uint8_t)v;
	}
	p256_expect(&c, true);
	c = good_case();
	memcpy(c.r, good_case().s, 32);
	memcpy(c.s, good_case().r, 32);
	p256_expect(&c, false);
	c = good_case();
	memcpy(c.y, c.x, 32);
	p256_expect(&c, false);
}

static void bad_keys(void **state)
{
	(void)state;
	static const char *const numbers[] = {ZERO, SMALL("01"), PRIME_MINUS_1, PRIME, ALL_ONES};
	for (size_t i = 0; i < countof(numbers); i++)
		for (size_t j = 0; j < countof(numbers); j++) {
			struct p256_case c = good_case();
			p256_set(c.x, numbers[i]);
			p256_set(c.y, numbers[j]);
			p256_expect(&c, false);
		}
	for (size_t bit = 0; bit < 512; bit += 17)
		p256_expect_same_when_flipped(&(struct p256_case){0}, bit);
}

/* Of a longer hash the first 32 bytes count; a shorter one is a smaller number. */
static void hash_sizes(void **state)
{
	(void)state;
	struct p256_case c = good_case();
	memset(c.hash + 32, 0xee, 32);
	for (size_t n = 32; n <= 64; n += 8) {
		c.hash_size = n;
		p256_expect(&c, true);
	}
	c.hash_size = 31;
	p256_expect(&c, false);

	uint8_t d[32], u1[32] = {0}, u2[32];
	memset(d, 0x11, 32);
	memset(u2, 0x33, 32);
	assert_true(p256_case_make(&c, d, u1, u2)); /* the hash is 0 */
	for (size_t n = 0; n <= 64; n++) {
		memset(c.hash, 0, sizeof c.hash);
		c.hash_size = n;
		p256_expect(&c, true);
		if (n) {
			c.hash[n < 32 ? n - 1 : 31] = 1;
			p256_expect(&c, false);
		}
	}
}

static int read_der(const char *hex)
{
	uint8_t sig[256];
	size_t n = p256_unhex(sig, sizeof sig, hex);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),     cmocka_unit_test(symmetries), cmocka_unit_test(bad_keys),
		cmocka_unit_test(hash_sizes), cmocka_unit_test(encodings),
	};
	return cmocka_run_group_tests(tests, NULL, p256_expect_tear_down);
}

#include "p256_expect.h"

#include <mbedtls/psa_util.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const char *const p256_corners[] = {
	ZERO,	       SMALL("01"),   SMALL("02"), SMALL("03"), SMALL("0f"), SMALL("10"),
	SMALL("7f"),   SMALL("80"),   SMALL("81"), SMALL("ff"), TWO_128,     LONG_RUNS,
	ORDER_MINUS_1, ORDER_MINUS_2, MANY_ZEROS,  ALTERNATING, ALL_ONES,    ORDER_HALF_UP,
};

size_t p256_unhex(uint8_t *out, size_t size, const char *hex)
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

void p256_set(uint8_t out[32], const char *hex)
{
	assert_int_equal(p256_unhex(out, 32, hex), 32);
}

void p256_expect(const struct p256_case *c, bool good)
{
	assert_int_equal(p256_case_verify_stock(c), good);
	assert_int_equal(p256_case_verify(c), good);
}

void p256_expect_same_when_flipped(const struct p256_case *good, size_t bit)
{
	struct p256_case c = *good;
	uint8_t *const part[] = {c.x, c.y, c.r, c.s, c.hash};
	part[bit / 256 % 5][bit % 256 / 8] ^= (uint8_t)(1 << bit % 8);
	bool stock = p256_case_verify_stock(&c);
	assert_int_equal(p256_case_verify(&c), stock);
}

int p256_expect_tear_down(void **state)
{
	(void)state;
	p256_case_free();
	mbedtls_psa_crypto_free();
	return 0;
}

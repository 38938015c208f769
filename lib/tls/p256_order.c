#include "tls/p256_order.h"

#include <string.h>

#define N0_INVERSE UINT64_C(0xccd1c8aaee00bc4f) /* -1/n mod 2^64 */

const struct p256_int p256_order = {{UINT64_C(0xf3b9cac2fc632551), UINT64_C(0xbce6faada7179e84),
				     UINT64_C(0xffffffffffffffff), UINT64_C(0xffffffff00000000)}};

struct p256_int p256_int_read(const uint8_t b[32])
{
	struct p256_int r = {{0}};
	for (int i = 0; i < 32; i++)
		r.w[3 - i / 8] = r.w[3 - i / 8] << 8 | b[i];
	return r;
}

/* a * b / 2^256 mod n (Montgomery), the result below n if one of the two is. */
static struct p256_int multiply(const struct p256_int *a, const struct p256_int *b)
{
	uint64_t t[6] = {0};
	for (int i = 0; i < 4; i++) {
		uint64_t high = 0;
		for (int j = 0; j < 4; j++)
			t[j] = p256_mul_add(a->w[i], b->w[j], t[j], &high);
		unsigned char carry = 0;
		t[4] = p256_carry(t[4], high, &carry);
		t[5] = carry;

		uint64_t m = t[0] * N0_INVERSE;
		high = 0;
		(void)p256_mul_add(m, p256_order.w[0], t[0], &high); /* the lowest word becomes 0 and goes */
		for (int j = 1; j < 4; j++)
			t[j - 1] = p256_mul_add(m, p256_order.w[j], t[j], &high);
		carry = 0;
		t[3] = p256_carry(t[4], high, &carry);
		t[4] = t[5] + carry;
	}
	const struct p256_int low = {{t[0], t[1], t[2], t[3]}};
	return p256_int_once(&low, t[4], &p256_order);
}

/* a^(n-2), which is 1/a (Fermat), in Montgomery's form like a. The exponent goes in 64 digits of 4 bits. */
static struct p256_int invert(const struct p256_int *a)
{
	static const struct p256_int two = {{2}};
	struct p256_int power[16], exponent, r;
	power[1] = *a; /* no digit of n-2 that meets r before its first one is 0 */
	for (int i = 2; i < 16; i++)
		power[i] = multiply(&power[i - 1], a);
	(void)p256_int_sub(&exponent, &p256_order, &two);
	r = power[exponent.w[3] >> 60];
	for (int i = 62; i >= 0; i--) {
		for (int k = 0; k < 4; k++)
			r = multiply(&r, &r);
		unsigned digit = exponent.w[i / 16] >> i % 16 * 4 & 15;
		if (digit)
			r = multiply(&r, &power[digit]);
	}
	return r;
}

void p256_order_divide(struct p256_int *u1, struct p256_int *u2, const struct p256_int *e,
		       const struct p256_int *r, const struct p256_int *s)
{
	static const struct p256_int r2 = {/* 2^512 mod n */
					   {UINT64_C(0x83244c95be79eea2), UINT64_C(0x4699799c49bd6fa6),
					    UINT64_C(0x2845b2392b6bec59), UINT64_C(0x66e12d94f3d95620)}};
	const struct p256_int s_form = multiply(s, &r2);
	const struct p256_int inverse = invert(&s_form);
	*u1 = multiply(e, &inverse);
	*u2 = multiply(r, &inverse);
}

static void shift_right(struct p256_int *a, int bits)
{
	for (int i = 0; i < 3; i++)
		a->w[i] = a->w[i] >> bits | a->w[i + 1] << (64 - bits);
	a->w[3] >>= bits;
}

int p256_order_recode(int8_t digits[P256_DIGITS + 1], const struct p256_int *k, int width)
{
	struct p256_int rest = *k;
	int n = 0;
	memset(digits, 0, P256_DIGITS + 1);
	while (!p256_int_is_zero(&rest)) {
		int zeros = rest.w[0] ? __builtin_ctzll(rest.w[0]) : 63;
		if (zeros) {
			shift_right(&rest, zeros);
			n += zeros;
			continue;
		}
		/* odd: the digit is taken off, which leaves `width` zeros. n is far enough below 2^256. */
		int digit = (int)(rest.w[0] & ((1u << width) - 1));
		if (digit >= 1 << (width - 1))
			digit -= 1 << width;
		const struct p256_int size = {{(uint64_t)(digit < 0 ? -digit : digit)}};
		if (digit < 0)
			(void)p256_int_add(&rest, &rest, &size);
		else
			(void)p256_int_sub(&rest, &rest, &size);
		digits[n] = (int8_t)digit;
	}
	return n + 1;
}

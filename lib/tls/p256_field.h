/*
 * Numbers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1, the field of P-256 (SP 800-186,
 * section 3.2.1.3), and what 256-bit numbers need in general.
 *
 * Four words, the lowest first. A field element stands for a as a * 2^256 mod p
 * (Montgomery's form) and is always less than p, so that equality is equality of words.
 * p ends in 64 one bits: what Montgomery's method multiplies p with to clear the lowest
 * word t0 is t0 itself, and adding it is two shifts and one multiplication:
 *
 *	t0 * p = t0 * (2^256 - 2^224 + 2^192) + t0 * 2^96 - t0
 *	         `---- 2^192 * TOP -------'     `words 1,2`  `clears word 0
 */
#ifndef TLS_P256_FIELD_H
#define TLS_P256_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

typedef unsigned __int128 p256_wide;

struct p256_int {
	uint64_t w[4];
};

#define P256_TOP UINT64_C(0xffffffff00000001) /* the highest word of p */
#define P256_PRIME                                                                                           \
	{                                                                                                    \
		{                                                                                            \
			UINT64_C(0xffffffffffffffff), UINT64_C(0x00000000ffffffff), 0, P256_TOP              \
		}                                                                                            \
	}

/* ---- words ---- */

/* gcc makes a chain of adc of the intrinsic alone. */
static inline uint64_t p256_carry(uint64_t a, uint64_t b, unsigned char *carry)
{
#ifdef __x86_64__
	unsigned long long sum;
	*carry = _addcarry_u64(*carry, a, b, &sum);
	return sum;
#else
	p256_wide sum = (p256_wide)a + b + *carry;
	*carry = (unsigned char)(sum >> 64);
	return (uint64_t)sum;
#endif
}

static inline uint64_t p256_borrow(uint64_t a, uint64_t b, unsigned char *borrow)
{
#ifdef __x86_64__
	unsigned long long difference;
	*borrow = _subborrow_u64(*borrow, a, b, &difference);
	return difference;
#else
	p256_wide difference = (p256_wide)a - b - *borrow;
	*borrow = (unsigned char)(difference >> 64 & 1);
	return (uint64_t)difference;
#endif
}

/* low word of a * b + c + *high; the rest in *high. It cannot overflow. */
static inline uint64_t p256_mul_add(uint64_t a, uint64_t b, uint64_t c, uint64_t *high)
{
	p256_wide t = (p256_wide)a * b + c + *high;
	*high = (uint64_t)(t >> 64);
	return (uint64_t)t;
}

static inline unsigned char p256_int_add(struct p256_int *r, const struct p256_int *a,
					 const struct p256_int *b)
{
	unsigned char carry = 0;
	for (int i = 0; i < 4; i++)
		r->w[i] = p256_carry(a->w[i], b->w[i], &carry);
	return carry;
}

static inline unsigned char p256_int_sub(struct p256_int *r, const struct p256_int *a,
					 const struct p256_int *b)
{
	unsigned char borrow = 0;
	for (int i = 0; i < 4; i++)
		r->w[i] = p256_borrow(a->w[i], b->w[i], &borrow);
	return borrow;
}

static inline bool p256_int_less(const struct p256_int *a, const struct p256_int *b)
{
	struct p256_int unused;
	return p256_int_sub(&unused, a, b);
}

static inline bool p256_int_is_zero(const struct p256_int *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

static inline bool p256_int_equal(const struct p256_int *a, const struct p256_int *b)
{
	return a->w[0] == b->w[0] && a->w[1] == b->w[1] && a->w[2] == b->w[2] && a->w[3] == b->w[3];
}

/* a + top * 2^256, which is less than 2m, modulo m. A branch would be guessed wrong half of the time. */
static inline struct p256_int p256_int_once(const struct p256_int *a, uint64_t top, const struct p256_int *m)
{
	struct p256_int less, r;
	unsigned char borrow = p256_int_sub(&less, a, m);
	(void)p256_borrow(top, 0, &borrow);
	uint64_t keep = -(uint64_t)borrow;
	for (int i = 0; i < 4; i++)
		r.w[i] = (a->w[i] & keep) | (less.w[i] & ~keep);
	return r;
}

/* ---- modulo p ---- */

static inline struct p256_int p256_add(const struct p256_int *a, const struct p256_int *b)
{
	static const struct p256_int p = P256_PRIME;
	struct p256_int sum;
	unsigned char carry = p256_int_add(&sum, a, b);
	return p256_int_once(&sum, carry, &p);
}

static inline struct p256_int p256_sub(const struct p256_int *a, const struct p256_int *b)
{
	struct p256_int r;
	uint64_t again = -(uint64_t)p256_int_sub(&r, a, b);
	const struct p256_int p = {{again, again & UINT64_C(0xffffffff), 0, again & P256_TOP}};
	(void)p256_int_add(&r, &r, &p);
	return r;
}

static inline struct p256_int p256_neg(const struct p256_int *a)
{
	static const struct p256_int zero = {{0}};
	return p256_sub(&zero, a);
}

/* t / 2^256: t0 * p added four times, each time to what is left above the word it clears. */
static inline struct p256_int p256_reduce(const uint64_t t[8])
{
	static const struct p256_int p = P256_PRIME;
	struct p256_int low = {{t[0], t[1], t[2], t[3]}};
	const struct p256_int high = {{t[4], t[5], t[6], t[7]}};
	for (int i = 0; i < 4; i++) {
		uint64_t m = low.w[0];
		p256_wide top = (p256_wide)m * P256_TOP;
		unsigned char carry = 0;
		low.w[0] = p256_carry(low.w[1], m << 32, &carry);
		low.w[1] = p256_carry(low.w[2], m >> 32, &carry);
		low.w[2] = p256_carry(low.w[3], (uint64_t)top, &carry);
		low.w[3] = (uint64_t)(top >> 64) + carry;
	}
	unsigned char carry = p256_int_add(&low, &low, &high);
	return p256_int_once(&low, carry, &p);
}

static inline struct p256_int p256_mul(const struct p256_int *a, const struct p256_int *b)
{
	uint64_t t[8] = {0};
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			t[i + j] = p256_mul_add(a->w[i], b->w[j], t[i + j], &t[i + 4]);
	return p256_reduce(t);
}

/* Six products of two different words, doubled, and four squares: 10 multiplications in place of 16. */
static inline struct p256_int p256_sqr(const struct p256_int *a)
{
	uint64_t t[8] = {0};
	for (int i = 0; i < 3; i++)
		for (int j = i + 1; j < 4; j++)
			t[i + j] = p256_mul_add(a->w[i], a->w[j], t[i + j], &t[i + 4]);
	for (int i = 7; i > 0; i--)
		t[i] = t[i] << 1 | t[i - 1] >> 63;
	unsigned char carry = 0;
	for (int i = 0; i < 4; i++) {
		p256_wide square = (p256_wide)a->w[i] * a->w[i];
		t[2 * i] = p256_carry(t[2 * i], (uint64_t)square, &carry);
		t[2 * i + 1] = p256_carry(t[2 * i + 1], (uint64_t)(square >> 64), &carry);
	}
	return p256_reduce(t);
}

static inline struct p256_int p256_to_field(const struct p256_int *a)
{
	static const struct p256_int r2 = {/* 2^512 mod p */
					   {3, UINT64_C(0xfffffffbffffffff), UINT64_C(0xfffffffffffffffe),
					    UINT64_C(0x00000004fffffffd)}};
	return p256_mul(a, &r2);
}

#endif

/*
 * GHASH's field with the carry-less multiplier, for gcm_x86.c and gcm_wide.h.
 *
 * GCM calls the first (leftmost) bit of a block the coefficient of x^0. Reversing
 * the 16 bytes gives an integer A with that coefficient in bit 127, so the block
 * a(x) is read as the polynomial A(z) = z^127 a(1/z), and
 *
 *     c = a b mod 1 + x + x^2 + x^7 + x^128     becomes
 *     C = A B z^-127 mod G,  G = z^128 + z^127 + z^126 + z^121 + 1.
 *
 * That is Montgomery's multiplication: with H' = H z kept in place of H,
 *
 *     C = A H' z^-128 mod G
 *
 * and dividing by z^128 is cheap, because the low 64 bits of G are just 1: to
 * clear the lowest word t of a product add t G, then drop that word.
 *
 *         +--------+--------+--------+--------+
 *         |   p3   |   p2   |   p1   |   p0   |   t = p0
 *         +--------+--------+--------+--------+
 *    t*G:            +--- t                    -> added to p2 (z^128)
 *               +--- t (z^127 + z^126 + z^121) -> added to p1 and p2: one
 *                    multiplication by 0xc2.. (bits 63, 62, 57) on p1's level
 *
 * Do that twice; p3:p2 is the result. The powers obey the same rule: from
 * H^i z and H z the multiplication makes H^(i+1) z.
 *
 * A sum of products needs only one reduction, so n blocks cost n times four
 * multiplications and one reduction:
 *
 *     ((h + X1) H + X2) H + .. Xn) H = (h + X1) H^n + X2 H^(n-1) + .. + Xn H
 */
#ifndef TLS_GCM_CLMUL_H
#define TLS_GCM_CLMUL_H

#include <immintrin.h>

/* Inlined into functions for richer CPUs too, which is why it is not left to the compiler. */
#define CLMUL static inline __attribute__((always_inline, target("aes,pclmul,ssse3,sse4.1")))

/* Reverses the 16 bytes of a block, between GCM's order and ours. */
#define GCM_REVERSE _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* An unreduced product or sum of products: high z^128 + middle z^64 + low, overlapping. */
struct clmul_sum {
	__m128i low, middle, high;
};

CLMUL __m128i clmul_load(const unsigned char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

CLMUL void clmul_store(unsigned char *p, __m128i value)
{
	_mm_storeu_si128((__m128i *)(void *)p, value);
}

/* A block of data, a counter or a hash between memory and the reversed form. */
CLMUL __m128i clmul_load_block(const unsigned char *p)
{
	return _mm_shuffle_epi8(clmul_load(p), GCM_REVERSE);
}

CLMUL void clmul_store_block(unsigned char *p, __m128i value)
{
	clmul_store(p, _mm_shuffle_epi8(value, GCM_REVERSE));
}

CLMUL struct clmul_sum clmul_zero(void)
{
	return (struct clmul_sum){_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
}

/* sum += a * b, by the four products of the halves */
CLMUL void clmul_add(struct clmul_sum *sum, __m128i a, __m128i b)
{
	sum->low = _mm_xor_si128(sum->low, _mm_clmulepi64_si128(a, b, 0x00));
	sum->high = _mm_xor_si128(sum->high, _mm_clmulepi64_si128(a, b, 0x11));
	sum->middle = _mm_xor_si128(sum->middle, _mm_clmulepi64_si128(a, b, 0x01));
	sum->middle = _mm_xor_si128(sum->middle, _mm_clmulepi64_si128(a, b, 0x10));
}

/* sum / z^128 mod G */
CLMUL __m128i clmul_reduce(struct clmul_sum sum)
{
	const __m128i tail = _mm_set_epi64x((long long)0xc200000000000000ULL, 0);
	__m128i low = _mm_xor_si128(sum.low, _mm_slli_si128(sum.middle, 8));
	__m128i high = _mm_xor_si128(sum.high, _mm_srli_si128(sum.middle, 8));

	/* Swapping the halves drops p0 to where p2 is: it moves p1 down and adds t one word up. */
	for (int i = 0; i < 2; i++)
		low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, tail, 0x10));
	return _mm_xor_si128(high, low);
}

CLMUL __m128i clmul_times(__m128i a, __m128i b)
{
	struct clmul_sum sum = clmul_zero();

	clmul_add(&sum, a, b);
	return clmul_reduce(sum);
}

/* a * z mod G: one place up, and z^128 comes back as z^127 + z^126 + z^121 + 1 */
CLMUL __m128i clmul_times_z(__m128i a)
{
	const __m128i tail = _mm_set_epi64x((long long)0xc200000000000000ULL, 1);
	__m128i carries = _mm_srli_epi64(a, 63); /* the top bit of each half */
	__m128i top = _mm_shuffle_epi32(carries, 0xee);
	__m128i fold = _mm_and_si128(_mm_sub_epi64(_mm_setzero_si128(), top), tail);

	a = _mm_or_si128(_mm_slli_epi64(a, 1), _mm_slli_si128(carries, 8));
	return _mm_xor_si128(a, fold);
}

#endif

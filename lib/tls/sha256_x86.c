/*
 * SHA-256's blocks with the instructions x86 has for them (Intel 64 and IA-32
 * Architectures Software Developer's Manual, volume 2: SHA256RNDS2, SHA256MSG1,
 * SHA256MSG2). The eight words of the state lie in two registers, highest lane first:
 *
 *     abef   a b e f         cdgh   c d g h
 *
 * SHA256RNDS2 does two rounds. What was a b e f is c d g h after them, so only four
 * words are new, and the two registers change their roles:
 *
 *     rnds2(cdgh, abef, wk)  ->  the next abef;  the old abef is the next cdgh
 *
 * The message schedule works on four words at a time, m0 .. m3 being the last sixteen:
 *
 *     W[t] = s1(W[t-2]) + W[t-7] + s0(W[t-15]) + W[t-16]
 *                 |          |         '---------------'
 *                 |          |             msg1(m0, m1)
 *                 |       words 9 to 12 of m0 .. m3
 *                msg2(.., m3), which also feeds the first two new words to the last two
 *
 * Each pair of rounds waits for the one before, which is what the time goes to: the
 * schedule runs beside them.
 */
#include "sha256_path.h"

#include <cpuid.h>
#include <immintrin.h>

#define SHANI	     __attribute__((target("sha,ssse3,sse4.1")))
#define SHANI_INLINE static inline __attribute__((always_inline, target("sha,ssse3,sse4.1")))

SHANI_INLINE __m128i load(const void *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

SHANI_INLINE void store(void *p, __m128i a)
{
	_mm_storeu_si128((__m128i *)p, a);
}

/* Four words of a block, which are big endian; the first in the lowest lane. */
SHANI_INLINE __m128i load_words(const unsigned char *p)
{
	return _mm_shuffle_epi8(load(p), _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
}

SHANI_INLINE __m128i reverse(__m128i a)
{
	return _mm_shuffle_epi32(a, _MM_SHUFFLE(0, 1, 2, 3));
}

SHANI_INLINE __m128i next_words(__m128i m0, __m128i m1, __m128i m2, __m128i m3)
{
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(m0, m1), _mm_alignr_epi8(m3, m2, 4));

	return _mm_sha256msg2_epu32(sum, m3);
}

/* Loops of a known length, so that the compiler can unroll them and keep m in registers. */
SHANI static void compress(uint32_t state[8], const unsigned char *data, size_t blocks)
{
	__m128i dcba = reverse(load(state)), hgfe = reverse(load(state + 4));
	__m128i abef = _mm_unpackhi_epi64(hgfe, dcba), cdgh = _mm_unpacklo_epi64(hgfe, dcba);

	for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
		__m128i abef_before = abef, cdgh_before = cdgh, m[4];

#pragma GCC unroll 4
		for (int i = 0; i < 4; i++)
			m[i] = load_words(data + 16 * i);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			__m128i wk = _mm_add_epi32(m[i & 3], load(sha256_constants + 4 * i));

			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_unpackhi_epi64(wk, wk));
			if (i < 12)
				m[i & 3] =
					next_words(m[i & 3], m[(i + 1) & 3], m[(i + 2) & 3], m[(i + 3) & 3]);
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	store(state, reverse(_mm_unpackhi_epi64(cdgh, abef)));
	store(state + 4, reverse(_mm_unpacklo_epi64(cdgh, abef)));
}

/* The compiler's own test has no word for it before gcc 14 and clang 19. */
static bool usable(void)
{
	unsigned int eax, ebx, ecx, edx;

	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") &&
	       __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_SHA);
}

const struct sha256_path sha256_path_shani = {
	.name = "shani",
	.usable = usable,
	.compress = compress,
};

/* GCM's blocks on AVX2 with VAES and VPCLMULQDQ: AMD since Zen 3, Intel since Ice Lake. */
#include <cpuid.h>
#include <immintrin.h>

#define TARGET	   target("aes,pclmul,ssse3,sse4.1,avx,avx2,vaes,vpclmulqdq")
#define WIDE	   static inline __attribute__((always_inline, TARGET))
#define WIDE_ENTRY static __attribute__((TARGET))
#define LANES	   2

typedef __m256i vec;

#define VEC_1234 _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 1)
#define VEC_STEP _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2)

#define vec_load(p)	      _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define vec_store(p, a)	      _mm256_storeu_si256((__m256i *)(void *)(p), a)
#define vec_zero()	      _mm256_setzero_si256()
#define vec_xor(a, b)	      _mm256_xor_si256(a, b)
#define vec_add32(a, b)	      _mm256_add_epi32(a, b)
#define vec_aes(a, key)	      _mm256_aesenc_epi128(a, key)
#define vec_aes_last(a, key)  _mm256_aesenclast_epi128(a, key)
#define vec_clmul(a, b, half) _mm256_clmulepi64_epi128(a, b, half)
#define vec_reverse(a)	      _mm256_shuffle_epi8(a, vec_spread(GCM_REVERSE))
#define vec_spread(block)     _mm256_broadcastsi128_si256(block)
#define vec_alone(block)      _mm256_inserti128_si256(vec_zero(), block, 0)
#define vec_sum(a)	      _mm_xor_si128(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1))

#include "gcm_wide.h"

/*
 * The compiler's own test lacks VAES in clang 14. It does answer whether the kernel keeps the AVX registers.
 */
static bool usable(void)
{
	unsigned int eax, ebx, ecx, edx;

	if (!gcm_path_aesni.usable() || !__builtin_cpu_supports("avx2"))
		return false;
	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ecx & bit_VAES) && (ecx & bit_VPCLMULQDQ);
}

static void derive_powers(mbedtls_gcm_context *gcm)
{
	gcm_path_aesni.derive_powers(gcm);
}

static void encrypt_block(const mbedtls_gcm_context *gcm, const unsigned char in[16], unsigned char out[16])
{
	gcm_path_aesni.encrypt_block(gcm, in, out);
}

static void absorb(mbedtls_gcm_context *gcm, const unsigned char *data, size_t blocks)
{
	gcm_path_aesni.absorb(gcm, data, blocks);
}

const struct gcm_path gcm_path_vaes = {
	.name = "vaes",
	.usable = usable,
	.derive_powers = derive_powers,
	.encrypt_block = encrypt_block,
	.absorb = absorb,
	.crypt = crypt,
};

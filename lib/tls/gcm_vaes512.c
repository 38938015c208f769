/* GCM's blocks on AVX-512 with VAES and VPCLMULQDQ: Intel since Ice Lake, AMD since Zen 4. */
#include <cpuid.h>
#include <immintrin.h>

#define TARGET	   target("aes,pclmul,ssse3,sse4.1,avx,avx2,avx512f,avx512bw,avx512vl,vaes,vpclmulqdq")
#define WIDE	   static inline __attribute__((always_inline, TARGET))
#define WIDE_ENTRY static __attribute__((TARGET))
#define LANES	   4

typedef __m512i vec;

#define VEC_1234 _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1)
#define VEC_STEP _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4)

#define vec_load(p)	      _mm512_loadu_si512(p)
#define vec_store(p, a)	      _mm512_storeu_si512(p, a)
#define vec_zero()	      _mm512_setzero_si512()
#define vec_xor(a, b)	      _mm512_xor_si512(a, b)
#define vec_add32(a, b)	      _mm512_add_epi32(a, b)
#define vec_aes(a, key)	      _mm512_aesenc_epi128(a, key)
#define vec_aes_last(a, key)  _mm512_aesenclast_epi128(a, key)
#define vec_clmul(a, b, half) _mm512_clmulepi64_epi128(a, b, half)
#define vec_reverse(a)	      _mm512_shuffle_epi8(a, vec_spread(GCM_REVERSE))
#define vec_spread(block)     _mm512_broadcast_i32x4(block)
#define vec_alone(block)      _mm512_inserti32x4(vec_zero(), block, 0)
#define vec_sum(a)                                                                                           \
	_mm_xor_si128(_mm_xor_si128(_mm512_castsi512_si128(a), _mm512_extracti32x4_epi32(a, 1)),             \
		      _mm_xor_si128(_mm512_extracti32x4_epi32(a, 2), _mm512_extracti32x4_epi32(a, 3)))

#include "gcm_wide.h"

static bool usable(void)
{
	return gcm_path_vaes.usable() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
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

const struct gcm_path gcm_path_vaes512 = {
	.name = "vaes512",
	.usable = usable,
	.derive_powers = derive_powers,
	.encrypt_block = encrypt_block,
	.absorb = absorb,
	.crypt = crypt,
};

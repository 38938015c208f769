/*
 * GCM's blocks with VAES and VPCLMULQDQ, sixteen at a time: the body of
 * gcm_vaes.c (two blocks a register) and gcm_vaes512.c (four), which define
 *
 *     WIDE              qualifiers of every function, with the CPU's features
 *     LANES             blocks in a vector: 2 or 4
 *     vec               the vector
 *     vec_load, vec_store, vec_zero, vec_xor, vec_add32, vec_aes, vec_aes_last, vec_clmul
 *     vec_reverse       the bytes of each block
 *     vec_spread        one block into every lane
 *     vec_alone         one block into lane 0, zeros into the others
 *     vec_sum           all lanes added up
 *     VEC_1234          32-bit integers 1, 2, .. LANES, one at the bottom of each lane
 *     VEC_STEP          LANES at the bottom of each lane
 *
 * Each vector instruction does in every lane what its namesake in gcm_x86.c does
 * in one, and the arithmetic is that of gcm_clmul.h. Two blocks a register:
 *
 *     vector    0                1                      7
 *     counter  | c+1  | c+2  |  | c+3  | c+4  |  ...  | c+15 | c+16 |
 *     text     | in0  | in1  |  | in2  | in3  |  ...  | in14 | in15 |
 *     hash     |h + X1|  X2  |  |  X3  |  X4  |  ...  | X15  | X16  |
 *              *      *         *      *              *      *
 *     powers   | H^16 | H^15 |  | H^14 | H^13 |  ...  | H^2  | H^1  |   as they lie in memory
 *
 * The products are added lane by lane, then the lanes to each other, then reduced
 * once. What does not fill sixteen blocks is left to the AES-NI path.
 */
#include "gcm_clmul.h"
#include "gcm_path.h"

#define VECTORS (GCM_POWERS / LANES)
#define BYTES	(16 * LANES)

WIDE void absorb_batch(const mbedtls_gcm_context *gcm, const unsigned char *data, __m128i *hash)
{
	vec low = vec_zero(), middle = vec_zero(), high = vec_zero();
	vec add = vec_alone(*hash);

#pragma GCC unroll 8
	for (int i = 0; i < VECTORS; i++) {
		vec x = vec_xor(vec_reverse(vec_load(data + BYTES * i)), add);
		vec h = vec_load(gcm->powers[LANES * i]);

		low = vec_xor(low, vec_clmul(x, h, 0x00));
		high = vec_xor(high, vec_clmul(x, h, 0x11));
		middle = vec_xor(middle, vec_xor(vec_clmul(x, h, 0x01), vec_clmul(x, h, 0x10)));
		add = vec_zero();
	}
	*hash = clmul_reduce((struct clmul_sum){vec_sum(low), vec_sum(middle), vec_sum(high)});
}

WIDE void crypt_batch(const mbedtls_gcm_context *gcm, const unsigned char *in, unsigned char *out,
		      vec *counters)
{
	const uint32_t *keys = gcm->aes.MBEDTLS_PRIVATE(buf) + gcm->aes.MBEDTLS_PRIVATE(rk_offset);
	int rounds = gcm->aes.MBEDTLS_PRIVATE(nr);
	vec block[VECTORS], key = vec_spread(clmul_load((const unsigned char *)keys));

#pragma GCC unroll 8
	for (int i = 0; i < VECTORS; i++) {
		block[i] = vec_xor(vec_reverse(*counters), key);
		*counters = vec_add32(*counters, VEC_STEP);
	}
	for (int r = 1; r < rounds; r++) {
		key = vec_spread(clmul_load((const unsigned char *)(keys + 4 * r)));
#pragma GCC unroll 8
		for (int i = 0; i < VECTORS; i++)
			block[i] = vec_aes(block[i], key);
	}
	key = vec_spread(clmul_load((const unsigned char *)(keys + 4 * rounds)));
#pragma GCC unroll 8
	for (int i = 0; i < VECTORS; i++) {
		vec text = vec_load(in + BYTES * i);

		vec_store(out + BYTES * i, vec_xor(vec_aes_last(block[i], key), text));
	}
}

/*
 * Encrypting, the hash runs one batch behind the cipher, so that neither waits for
 * the other; it reads the ciphertext back from `out`. Decrypting, it reads `in`,
 * which the cipher may overwrite, so it goes first.
 */
WIDE_ENTRY void crypt(mbedtls_gcm_context *gcm, const unsigned char *in, unsigned char *out, size_t blocks)
{
	const size_t step = (size_t)GCM_POWERS * 16;
	size_t batches = blocks / GCM_POWERS;
	__m128i hash = clmul_load_block(gcm->hash);
	__m128i counter = clmul_load_block(gcm->counter);
	vec counters = vec_add32(vec_spread(counter), VEC_1234);

	for (size_t i = 0; i < batches; i++, in += step, out += step) {
		if (!gcm->encrypt)
			absorb_batch(gcm, in, &hash);
		else if (i > 0)
			absorb_batch(gcm, out - step, &hash);
		crypt_batch(gcm, in, out, &counters);
	}
	if (batches > 0) {
		if (gcm->encrypt)
			absorb_batch(gcm, out - step, &hash);
		counter =
			_mm_add_epi32(counter, _mm_set_epi32(0, 0, 0, (int)(uint32_t)(batches * GCM_POWERS)));
		clmul_store_block(gcm->hash, hash);
		clmul_store_block(gcm->counter, counter);
	}
	if (blocks % GCM_POWERS > 0)
		gcm_path_aesni.crypt(gcm, in, out, blocks % GCM_POWERS);
}

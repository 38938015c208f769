/*
 * GCM's blocks with AES-NI and PCLMULQDQ, eight at a time.
 *
 * One AES round waits about four cycles for the last but a new one can start every
 * half cycle: eight independent counters fill the gaps. The hash of a batch is a
 * sum of eight products with falling powers of H (gcm_clmul.h):
 *
 *     counter   c+1   c+2   c+3   ...   c+8      ten to fourteen rounds each
 *                |     |     |           |
 *     text  in0 (+) in1 (+) in2 (+) .. in7 (+)
 *                |     |     |           |
 *     hash (h +  X1)   X2    X3          X8      X: the ciphertext
 *                *     *     *           *
 *               H^8   H^7   H^6         H^1      one sum, one reduction -> h
 *
 * The hash of one batch and the rounds of the next do not depend on each other,
 * and the CPU's own reordering overlaps them.
 */
#include "gcm_clmul.h"
#include "gcm_path.h"

#define AESNI static __attribute__((target("aes,pclmul,ssse3,sse4.1")))

#define BATCH 8

/* mbedTLS keeps the round keys as FIPS-197 writes them, which is what the instructions take. */
CLMUL __m128i round_key(const mbedtls_gcm_context *gcm, int round)
{
	const uint32_t *words = gcm->aes.MBEDTLS_PRIVATE(buf) + gcm->aes.MBEDTLS_PRIVATE(rk_offset);

	return clmul_load((const unsigned char *)(words + round * 4));
}

/* H^n z; n is 1 to GCM_POWERS. */
CLMUL __m128i power(const mbedtls_gcm_context *gcm, size_t n)
{
	return clmul_load(gcm->powers[GCM_POWERS - n]);
}

AESNI void encrypt_block(const mbedtls_gcm_context *gcm, const unsigned char in[16], unsigned char out[16])
{
	int rounds = gcm->aes.MBEDTLS_PRIVATE(nr);
	__m128i block = _mm_xor_si128(clmul_load(in), round_key(gcm, 0));

	for (int r = 1; r < rounds; r++)
		block = _mm_aesenc_si128(block, round_key(gcm, r));
	clmul_store(out, _mm_aesenclast_si128(block, round_key(gcm, rounds)));
}

/* Fifteen multiplications, about 0.1 us a key: not worth being lazy about. */
AESNI void derive_powers(mbedtls_gcm_context *gcm)
{
	static const unsigned char zero[16];
	__m128i first, next;

	encrypt_block(gcm, zero, gcm->powers[GCM_POWERS - 1]);
	first = next = clmul_times_z(clmul_load_block(gcm->powers[GCM_POWERS - 1]));
	for (int i = GCM_POWERS - 1; i >= 0; i--) {
		clmul_store(gcm->powers[i], next);
		next = clmul_times(next, first);
	}
}

AESNI void absorb(mbedtls_gcm_context *gcm, const unsigned char *data, size_t blocks)
{
	__m128i hash = clmul_load_block(gcm->hash);

	while (blocks > 0) {
		size_t n = blocks < GCM_POWERS ? blocks : GCM_POWERS;
		struct clmul_sum sum = clmul_zero();

		for (size_t i = 0; i < n; i++) {
			clmul_add(&sum, _mm_xor_si128(hash, clmul_load_block(data + 16 * i)),
				  power(gcm, n - i));
			hash = _mm_setzero_si128();
		}
		hash = clmul_reduce(sum);
		data += 16 * n;
		blocks -= n;
	}
	clmul_store_block(gcm->hash, hash);
}

/* The drawing above for n <= BATCH blocks. n is a constant at each call, so that all blocks live in
 * registers. */
CLMUL void crypt_batch(const mbedtls_gcm_context *gcm, const unsigned char *in, unsigned char *out, int n,
		       bool encrypt, __m128i *counter, __m128i *hash)
{
	const __m128i one = _mm_set_epi32(0, 0, 0, 1);
	int rounds = gcm->aes.MBEDTLS_PRIVATE(nr);
	struct clmul_sum sum = clmul_zero();
	__m128i block[BATCH], key = round_key(gcm, 0);

#pragma GCC unroll 8
	for (int i = 0; i < n; i++) {
		*counter = _mm_add_epi32(*counter, one); /* the last 32 bits of the block; they wrap alone */
		block[i] = _mm_xor_si128(_mm_shuffle_epi8(*counter, GCM_REVERSE), key);
	}
	for (int r = 1; r < rounds; r++) {
		key = round_key(gcm, r);
#pragma GCC unroll 8
		for (int i = 0; i < n; i++)
			block[i] = _mm_aesenc_si128(block[i], key);
	}
	key = round_key(gcm, rounds);
#pragma GCC unroll 8
	for (int i = 0; i < n; i++) {
		__m128i text = clmul_load(in + 16 * i);
		__m128i crypted = _mm_xor_si128(_mm_aesenclast_si128(block[i], key), text);
		__m128i cipher = _mm_shuffle_epi8(encrypt ? crypted : text, GCM_REVERSE);

		if (i == 0)
			cipher = _mm_xor_si128(cipher, *hash);
		clmul_add(&sum, cipher, power(gcm, (size_t)(n - i)));
		clmul_store(out + 16 * i, crypted);
	}
	*hash = clmul_reduce(sum);
}

/* Batches of 8, then what is left in binary: 4, 2, 1. */
CLMUL void crypt_batches(mbedtls_gcm_context *gcm, const unsigned char *in, unsigned char *out, size_t blocks,
			 bool encrypt)
{
	__m128i counter = clmul_load_block(gcm->counter);
	__m128i hash = clmul_load_block(gcm->hash);

	for (; blocks >= 8; blocks -= 8, in += 128, out += 128)
		crypt_batch(gcm, in, out, 8, encrypt, &counter, &hash);
	if (blocks & 4) {
		crypt_batch(gcm, in, out, 4, encrypt, &counter, &hash);
		in += 64;
		out += 64;
	}
	if (blocks & 2) {
		crypt_batch(gcm, in, out, 2, encrypt, &counter, &hash);
		in += 32;
		out += 32;
	}
	if (blocks & 1)
		crypt_batch(gcm, in, out, 1, encrypt, &counter, &hash);
	clmul_store_block(gcm->counter, counter);
	clmul_store_block(gcm->hash, hash);
}

AESNI void crypt(mbedtls_gcm_context *gcm, const unsigned char *in, unsigned char *out, size_t blocks)
{
	if (gcm->encrypt)
		crypt_batches(gcm, in, out, blocks, true);
	else
		crypt_batches(gcm, in, out, blocks, false);
}

static bool usable(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
	       __builtin_cpu_supports("sse4.1");
}

const struct gcm_path gcm_path_aesni = {
	.name = "aesni",
	.usable = usable,
	.derive_powers = derive_powers,
	.encrypt_block = encrypt_block,
	.absorb = absorb,
	.crypt = crypt,
};

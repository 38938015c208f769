/*
 * AES-GCM as SP 800-38D writes it down, one bit after the other, to compare with. Shares with the code under
 * test only mbedTLS's AES of one block.
 */
#ifndef TESTS_GCM_REFERENCE_H
#define TESTS_GCM_REFERENCE_H

#include <mbedtls/aes.h>
#include <stdint.h>
#include <string.h>

struct ref_block {
	uint64_t high, low; /* as one integer of 128 bits, most significant bit first */
};

static inline struct ref_block ref_load(const unsigned char *p, size_t size)
{
	struct ref_block b = {0, 0};

	for (size_t i = 0; i < size; i++) {
		uint64_t *half = i < 8 ? &b.high : &b.low;

		*half |= (uint64_t)p[i] << (56 - 8 * (i % 8));
	}
	return b;
}

static inline void ref_store(unsigned char p[16], struct ref_block b)
{
	for (int i = 0; i < 8; i++) {
		p[i] = (unsigned char)(b.high >> (56 - 8 * i));
		p[8 + i] = (unsigned char)(b.low >> (56 - 8 * i));
	}
}

/* SP 800-38D, algorithm 1 */
static inline struct ref_block ref_times(struct ref_block x, struct ref_block y)
{
	struct ref_block z = {0, 0};

	for (int i = 0; i < 128; i++) {
		if ((i < 64 ? x.high >> (63 - i) : x.low >> (127 - i)) & 1) {
			z.high ^= y.high;
			z.low ^= y.low;
		}
		uint64_t carry = y.low & 1;
		y.low = y.low >> 1 | y.high << 63;
		y.high >>= 1;
		if (carry)
			y.high ^= UINT64_C(0xe1) << 56;
	}
	return z;
}

/* y^(2^128 - 2), the inverse: all powers y^2 y^4 .. y^(2^127) multiplied up */
static inline struct ref_block ref_inverse(struct ref_block y)
{
	struct ref_block result = {UINT64_C(1) << 63, 0};

	for (int i = 1; i < 128; i++) {
		y = ref_times(y, y);
		result = ref_times(result, y);
	}
	return result;
}

static inline struct ref_block ref_hash(struct ref_block hash, struct ref_block key, const unsigned char *p,
					size_t size)
{
	for (size_t done = 0; done < size; done += 16) {
		struct ref_block b = ref_load(p + done, size - done < 16 ? size - done : 16);

		hash = ref_times((struct ref_block){hash.high ^ b.high, hash.low ^ b.low}, key);
	}
	return hash;
}

static inline struct ref_block ref_hash_lengths(struct ref_block hash, struct ref_block key, size_t first,
						size_t second)
{
	hash.high ^= (uint64_t)first * 8;
	hash.low ^= (uint64_t)second * 8;
	return ref_times(hash, key);
}

static inline struct ref_block ref_aes(mbedtls_aes_context *aes, struct ref_block b)
{
	unsigned char block[16];

	ref_store(block, b);
	mbedtls_aes_crypt_ecb(aes, MBEDTLS_AES_ENCRYPT, block, block);
	return ref_load(block, 16);
}

static inline void ref_encrypt(const unsigned char *key, unsigned int bits, const unsigned char *iv,
			       size_t iv_size, const unsigned char *aad, size_t aad_size,
			       const unsigned char *in, size_t size, unsigned char *out,
			       unsigned char tag[16])
{
	const struct ref_block zero = {0, 0};
	mbedtls_aes_context aes;
	struct ref_block h, j0, counter, hash, mask;

	mbedtls_aes_init(&aes);
	mbedtls_aes_setkey_enc(&aes, key, bits);
	h = ref_aes(&aes, zero);
	if (iv_size == 12) {
		j0 = ref_load(iv, 12);
		j0.low |= 1;
	} else {
		j0 = ref_hash_lengths(ref_hash(zero, h, iv, iv_size), h, 0, iv_size);
	}
	counter = j0;
	for (size_t i = 0; i < size; i++) {
		unsigned char stream[16];

		if (i % 16 == 0)
			counter.low = (counter.low & ~UINT64_C(0xffffffff)) | (uint32_t)(counter.low + 1);
		ref_store(stream, ref_aes(&aes, counter));
		out[i] = in[i] ^ stream[i % 16];
	}
	hash = ref_hash(ref_hash(zero, h, aad, aad_size), h, out, size);
	hash = ref_hash_lengths(hash, h, aad_size, size);
	mask = ref_aes(&aes, j0);
	ref_store(tag, (struct ref_block){hash.high ^ mask.high, hash.low ^ mask.low});
	mbedtls_aes_free(&aes);
}

#endif

/*
 * GCM's blocks in plain C: mbedTLS's AES, and GHASH by shift and add, one bit of
 * the hash at a time under a mask. 128 steps a block are slow (tens of MB/s),
 * but unlike the usual tables they do not tell a neighbour on the CPU what they
 * work on. No machine that can host a Nitro enclave ends here.
 */
#include "gcm_path.h"

#include <mbedtls/platform_util.h>
#include <string.h>

/* A field element as GCM writes it: the first bit of the block is the coefficient of x^0. */
struct element {
	uint64_t high; /* x^0 .. x^63, x^0 on top */
	uint64_t low;  /* x^64 .. x^127 */
};

static uint64_t get_u64(const unsigned char *p)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | p[i];
	return value;
}

static struct element get_element(const unsigned char block[16])
{
	return (struct element){get_u64(block), get_u64(block + 8)};
}

static void put_element(unsigned char block[16], struct element e)
{
	for (int i = 7; i >= 0; i--, e.high >>= 8, e.low >>= 8) {
		block[i] = (unsigned char)e.high;
		block[8 + i] = (unsigned char)e.low;
	}
}

/* All ones if the bit is set: no branch, or the compiler's idea of one would leak it. */
static uint64_t mask_of(uint64_t bit)
{
	uint64_t mask = 0 - bit;

	__asm__("" : "+r"(mask));
	return mask;
}

/* e * x: one place to the right; x^128 comes back as x^7 + x^2 + x + 1, which is 0xe1 in this order. */
static struct element times_x(struct element e)
{
	uint64_t carry = mask_of(e.low & 1);

	return (struct element){
		.high = (e.high >> 1) ^ (carry & UINT64_C(0xe100000000000000)),
		.low = (e.low >> 1) | (e.high << 63),
	};
}

static struct element times(struct element a, struct element b)
{
	struct element sum = {0, 0};

	for (int i = 0; i < 128; i++) {
		uint64_t bit = mask_of((i < 64 ? a.high >> (63 - i) : a.low >> (127 - i)) & 1);

		sum.high ^= b.high & bit;
		sum.low ^= b.low & bit;
		b = times_x(b);
	}
	return sum;
}

static bool usable(void)
{
	return true;
}

static void encrypt_block(const mbedtls_gcm_context *gcm, const unsigned char in[16], unsigned char out[16])
{
	/* It asks for a context it may write to, but only reads the round keys; it cannot fail. */
	mbedtls_aes_context *aes = (mbedtls_aes_context *)(uintptr_t)&gcm->aes;

	(void)mbedtls_aes_crypt_ecb(aes, MBEDTLS_AES_ENCRYPT, in, out);
}

/* Only H itself is used here. */
static void derive_powers(mbedtls_gcm_context *gcm)
{
	memset(gcm->powers, 0, sizeof gcm->powers);
	encrypt_block(gcm, gcm->powers[GCM_POWERS - 1], gcm->powers[GCM_POWERS - 1]);
}

static void absorb(mbedtls_gcm_context *gcm, const unsigned char *data, size_t blocks)
{
	struct element key = get_element(gcm->powers[GCM_POWERS - 1]);
	struct element hash = get_element(gcm->hash);

	for (; blocks > 0; blocks--, data += 16) {
		struct element block = get_element(data);

		hash.high ^= block.high;
		hash.low ^= block.low;
		hash = times(hash, key);
	}
	put_element(gcm->hash, hash);
}

static void crypt(mbedtls_gcm_context *gcm, const unsigned char *in, unsigned char *out, size_t blocks)
{
	unsigned char stream[16];

	for (; blocks > 0; blocks--, in += 16, out += 16) {
		for (int i = 15; i >= 12 && ++gcm->counter[i] == 0; i--)
			;
		encrypt_block(gcm, gcm->counter, stream);
		if (!gcm->encrypt)
			absorb(gcm, in, 1);
		for (int i = 0; i < 16; i++)
			out[i] = in[i] ^ stream[i];
		if (gcm->encrypt)
			absorb(gcm, out, 1);
	}
	mbedtls_platform_zeroize(stream, sizeof stream);
}

const struct gcm_path gcm_path_portable = {
	.name = "portable",
	.usable = usable,
	.derive_powers = derive_powers,
	.encrypt_block = encrypt_block,
	.absorb = absorb,
	.crypt = crypt,
};

/*
 * SHA-256's blocks in plain C, as FIPS 180-4 has them: for Intel servers before
 * Ice Lake. Shifts, additions and bitwise logic only; no table is indexed by data.
 */
#include "sha256_path.h"

#include <mbedtls/platform_util.h>
#include <string.h>

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
_Alignas(16) const uint32_t sha256_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint32_t rotate(uint32_t x, int by)
{
	return x >> by | x << (32 - by);
}

/* 4.1.2: the functions (4.2) to (4.7) */
static inline uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
	return z ^ (x & (y ^ z)); /* (x & y) ^ (~x & z), with one operation less */
}

static inline uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
	return (x & y) | (z & (x | y));
}

static inline uint32_t big_sigma0(uint32_t x)
{
	return rotate(x, 2) ^ rotate(x, 13) ^ rotate(x, 22);
}

static inline uint32_t big_sigma1(uint32_t x)
{
	return rotate(x, 6) ^ rotate(x, 11) ^ rotate(x, 25);
}

static inline uint32_t small_sigma0(uint32_t x)
{
	return rotate(x, 7) ^ rotate(x, 18) ^ x >> 3;
}

static inline uint32_t small_sigma1(uint32_t x)
{
	return rotate(x, 17) ^ rotate(x, 19) ^ x >> 10;
}

/*
 * One round. The standard then moves a .. h along by one; here the array stands still
 * and the letters move, once around in eight rounds.
 */
static inline void round_of(uint32_t v[8], int t, uint32_t word)
{
	uint32_t *a = &v[(0 - t) & 7], *b = &v[(1 - t) & 7], *c = &v[(2 - t) & 7], *d = &v[(3 - t) & 7];
	uint32_t *e = &v[(4 - t) & 7], *f = &v[(5 - t) & 7], *g = &v[(6 - t) & 7], *h = &v[(7 - t) & 7];
	uint32_t t1 = *h + big_sigma1(*e) + choose(*e, *f, *g) + sha256_constants[t] + word;

	*d += t1;
	*h = t1 + big_sigma0(*a) + majority(*a, *b, *c);
}

/* 6.2.2; only the last 16 words of the message schedule are kept. */
static void compress(uint32_t state[8], const unsigned char *data, size_t blocks)
{
	uint32_t w[16], v[8];

	for (; blocks > 0; blocks--, data += SHA256_BLOCK) {
		memcpy(v, state, sizeof v);
#pragma GCC unroll 16
		for (int t = 0; t < 16; t++) {
			w[t] = get_u32(data + 4 * t);
			round_of(v, t, w[t]);
		}
		for (int from = 16; from < 64; from += 16) {
#pragma GCC unroll 16
			for (int i = 0; i < 16; i++) {
				w[i] += small_sigma1(w[(i + 14) & 15]) + w[(i + 9) & 15] +
					small_sigma0(w[(i + 1) & 15]);
				round_of(v, from + i, w[i]);
			}
		}
		for (int i = 0; i < 8; i++)
			state[i] += v[i];
	}
	mbedtls_platform_zeroize(w, sizeof w);
	mbedtls_platform_zeroize(v, sizeof v);
}

static bool usable(void)
{
	return true;
}

const struct sha256_path sha256_path_portable = {
	.name = "portable",
	.usable = usable,
	.compress = compress,
};

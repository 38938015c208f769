/* Bytes as people read them. */
#ifndef DEMO_HEX_H
#define DEMO_HEX_H

#include <stdint.h>

#define HEX_SHA256 65

static inline void hex_sha256(const uint8_t digest[32], char out[HEX_SHA256])
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < 32; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[64] = 0;
}

#endif

#include "eif/crc32.h"

#define POLYNOMIAL 0xedb88320u /* 04C11DB7 with its bits the other way round */

/* Slicing by four: table[k][b] is the effect of byte b with k zero bytes behind it. */
static void make(uint32_t table[4][256])
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][b] = crc;
	}
	for (int k = 1; k < 4; k++)
		for (int b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
}

uint32_t crc32_add(uint32_t crc, struct span in)
{
	uint32_t table[4]
		      [256]; /* made anew each time: nothing beside megabytes of input, and no global state */
	const unsigned char *p = (const unsigned char *)in.p, *end = p + in.n;
	make(table);
	crc = ~crc;
	for (; end - p >= 4; p += 4) {
		crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		crc = table[3][crc & 255] ^ table[2][crc >> 8 & 255] ^ table[1][crc >> 16 & 255] ^
		      table[0][crc >> 24];
	}
	while (p < end)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return ~crc;
}

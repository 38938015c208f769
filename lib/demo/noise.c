#include "demo/noise.h"

#include <endian.h>
#include <string.h>

#include "tls/hash.h"

/* splitmix64's mixing of a counter (Steele, Lea, Flood: Fast splittable pseudorandom number generators). */
static uint64_t word(uint64_t seed, uint64_t index)
{
	uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return htole64(z ^ (z >> 31));
}

void noise_fill(uint64_t seed, uint64_t at, void *p, size_t n)
{
	char *out = p;
	while (n) {
		uint64_t w = word(seed, at / 8);
		size_t skip = at % 8, take = 8 - skip < n ? 8 - skip : n;
		memcpy(out, (char *)&w + skip, take);
		out += take;
		at += take;
		n -= take;
	}
}

void noise_sha256(uint64_t seed, uint64_t n, uint8_t out[32])
{
	char part[16384];
	struct hash_stream *hash = hash_stream_start();
	for (uint64_t at = 0; at < n; at += sizeof part) {
		size_t take = n - at < sizeof part ? (size_t)(n - at) : sizeof part;
		noise_fill(seed, at, part, take);
		hash_stream_add(hash, (struct span){part, take});
	}
	hash_stream_end(hash, out);
}

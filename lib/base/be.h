/* Numbers as wires and files have them: big-endian, at any address. */
#ifndef BASE_BE_H
#define BASE_BE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline unsigned be_u16(const void *at)
{
	const uint8_t *p = at;
	return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t be_u24(const void *at)
{
	const uint8_t *p = at;
	return (uint32_t)be_u16(p) << 8 | p[2];
}

static inline uint32_t be_u32(const void *at)
{
	uint32_t v;
	memcpy(&v, at, sizeof v);
	return be32toh(v);
}

static inline uint64_t be_u64(const void *at)
{
	uint64_t v;
	memcpy(&v, at, sizeof v);
	return be64toh(v);
}

/* Of as many bytes as the data says: at most 8. */
static inline uint64_t be_number(const void *at, size_t bytes)
{
	const uint8_t *p = at;
	uint64_t v = 0;
	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

/* Not byte by byte: gcc 12 at -O3 makes thirty instructions of eight such stores in a row. */
static inline void be_put_u32(void *at, uint32_t v)
{
	v = htobe32(v);
	memcpy(at, &v, sizeof v);
}

static inline void be_put_u64(void *at, uint64_t v)
{
	v = htobe64(v);
	memcpy(at, &v, sizeof v);
}

#endif

/* SHA-256 and what is made of it (FIPS 180-4, RFC 2104, RFC 8018). Any thread may call these. */
#ifndef TLS_HASH_H
#define TLS_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define HASH_SIZE 32

/* Of the spans as if they stood behind one another. */
void hash_sha256(const struct span *v, size_t count, uint8_t out[HASH_SIZE]);
/* The same in pieces: start, any number of adds, end (which also frees). */
struct hash_stream;
struct hash_stream *hash_stream_start(void);
void hash_stream_add(struct hash_stream *h, struct span bytes);
void hash_stream_end(struct hash_stream *h,
		     uint8_t out[HASH_SIZE]); /* out NULL: only frees; h NULL is fine then */
void hash_hmac(const uint8_t key[HASH_SIZE], const struct span *v, size_t count, uint8_t out[HASH_SIZE]);
/* PBKDF2-HMAC-SHA256; one to two microseconds an iteration: not for the loop's thread. iterations > 0. */
void hash_pbkdf2(struct span password, struct span salt, unsigned iterations, uint8_t out[HASH_SIZE]);
/* In a time that does not depend on where they differ. */
bool hash_equal(const uint8_t a[HASH_SIZE], const uint8_t b[HASH_SIZE]);
/* From the kernel; blocks only before the machine has gathered entropy for the first time. */
void hash_random_key(uint8_t key[HASH_SIZE]);

#endif

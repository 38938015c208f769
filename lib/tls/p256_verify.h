/*
 * ECDSA over P-256: is this signature the key's? (FIPS 186-5, section 6.4.2)
 *
 * For certificates and for what a server signs in a handshake, where mbedTLS's own code,
 * made to keep secrets while it multiplies, takes eight times as long. Nothing here is
 * secret: the time it takes depends on key, hash and signature. Never use it, or parts of
 * it, where one of the numbers is private.
 */
#ifndef TLS_P256_VERIFY_H
#define TLS_P256_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All numbers are 32 bytes, the highest first. Of a hash longer than that the first 32
 * bytes count, a shorter one is a smaller number. A key that is no point of the curve
 * verifies nothing.
 */
bool p256_verify(const uint8_t x[32], const uint8_t y[32], const uint8_t *hash, size_t hash_size,
		 const uint8_t r[32], const uint8_t s[32]);

#endif

/*
 * ECDSA signatures over P-256 that are made from their end: whoever chooses d, u1 and u2
 * knows hash, r and s for which verification computes u1 * G + u2 * Q with Q = d * G. So
 * every corner of the two multiplications can be reached with a signature that is valid.
 */
#ifndef TESTS_P256_CASE_H
#define TESTS_P256_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of 32 bytes, the highest first. */
struct p256_case {
	uint8_t x[32], y[32], r[32], s[32];
	uint8_t hash[64];
	size_t hash_size;
};

/* d and u2 not 0 modulo n. False: the sum is the point at infinity, and the signature nothing. */
bool p256_case_make(struct p256_case *c, const uint8_t d[32], const uint8_t u1[32], const uint8_t u2[32]);
/* A valid one where the sum is the point of this x, if the curve has it, for u1 = u2 = 1: false if not. */
bool p256_case_with_x(struct p256_case *c, const uint8_t x[32]);

/* What certificates and handshakes go through, and mbedTLS's own way, which is never replaced. */
bool p256_case_verify(const struct p256_case *c);
bool p256_case_verify_stock(const struct p256_case *c);
void p256_case_free(void); /* the curve */

#endif

/* Numbers modulo n, the order of P-256's base point: what ECDSA does before it multiplies points. */
#ifndef TLS_P256_ORDER_H
#define TLS_P256_ORDER_H

#include "tls/p256_field.h"

#define P256_DIGITS 256

extern const struct p256_int p256_order;

/* 32 bytes, the highest first */
struct p256_int p256_int_read(const uint8_t b[32]);

/* *u1 = e / s, *u2 = r / s. 0 < r, s < n; any e. */
void p256_order_divide(struct p256_int *u1, struct p256_int *u2, const struct p256_int *e,
		       const struct p256_int *r, const struct p256_int *s);

/*
 * k < n as the sum of digits[i] * 2^i, each 0 or odd and less than 2^(width-1) in
 * magnitude, at least width-1 zeros between two of them ("wNAF"). Says how many digits it takes.
 */
int p256_order_recode(int8_t digits[P256_DIGITS + 1], const struct p256_int *k, int width);

#endif

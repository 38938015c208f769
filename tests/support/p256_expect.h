/* What tests of ECDSA over P-256 share: numbers at the corners of the field and of the order, and one question to both. */
#ifndef TESTS_P256_EXPECT_H
#define TESTS_P256_EXPECT_H

#include "p256_case.h"

#define ORDER	       "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ORDER_MINUS_1  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"
#define ORDER_MINUS_2  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254f"
#define ORDER_PLUS_1   "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552"
#define ORDER_HALF_UP  "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9"
#define PRIME	       "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"
#define PRIME_MINUS_1  "ffffffff00000001000000000000000000000000fffffffffffffffffffffffe"
#define ALL_ONES       "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define MANY_ZEROS     "0000000100000000000000000000000000000000000000000000000000000001"
#define TWO_128	       "0000000000000000000000000000000100000000000000000000000000000000"
#define LONG_RUNS      "00ffffffffffffff0000000000000000ffffffffffffffff0000000000000001"
#define ALTERNATING    "5555555555555555555555555555555555555555555555555555555555555555"
#define SMALL(two_hex) "00000000000000000000000000000000000000000000000000000000000000" two_hex
#define ZERO	       SMALL("00")

/* Below n as they are or once reduced; the first is 0. */
#define P256_CORNERS 18
extern const char *const p256_corners[P256_CORNERS];

/* How many bytes; more than size fail the test. */
size_t p256_unhex(uint8_t *out, size_t size, const char *hex);
void p256_set(uint8_t out[32], const char *hex);

/* Ours and mbedTLS's own say that it is good, or not. */
void p256_expect(const struct p256_case *c, bool good);
/* One bit of key, hash, r or s: both say the same. */
void p256_expect_same_when_flipped(const struct p256_case *good, size_t bit);

/* The teardown of a group that has asked. */
int p256_expect_tear_down(void **state);

#endif

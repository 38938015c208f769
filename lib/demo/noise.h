/*
 * Bytes that look random and are the same for everybody who knows the seed: what the checks send up and
 * down, so that each side can tell by itself what should have come. Not secret, not for secrets.
 */
#ifndef DEMO_NOISE_H
#define DEMO_NOISE_H

#include <stddef.h>
#include <stdint.h>

/* The n bytes from `at` on. */
void noise_fill(uint64_t seed, uint64_t at, void *p, size_t n);
/* SHA-256 of the first n bytes. */
void noise_sha256(uint64_t seed, uint64_t n, uint8_t out[32]);

#endif

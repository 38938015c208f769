/*
 * Each test of AES-GCM runs on every path this CPU has, or, where mbedTLS was built with its own GCM
 * (NP_ACCEL=OFF, ARM), on that.
 */
#ifndef TESTS_GCM_PATHS_H
#define TESTS_GCM_PATHS_H

#include "base/check.h"

#include <mbedtls/gcm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#ifdef MBEDTLS_GCM_ALT
#include "tls/gcm_path.h"

static inline void start_key(mbedtls_gcm_context *gcm, const struct gcm_path *path, const unsigned char *key,
			     unsigned int bits)
{
	mbedtls_gcm_init(gcm);
	assert_int_equal(gcm_setkey_on(gcm, path, key, bits), 0);
}

static inline void each_path(void (*test)(const struct gcm_path *path))
{
	for (size_t i = 0; i < countof(gcm_paths); i++) {
		if (gcm_paths[i]->usable())
			test(gcm_paths[i]);
	}
}
#else
struct gcm_path;

static inline void start_key(mbedtls_gcm_context *gcm, const struct gcm_path *path, const unsigned char *key,
			     unsigned int bits)
{
	(void)path;
	mbedtls_gcm_init(gcm);
	assert_int_equal(mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key, bits), 0);
}

static inline void each_path(void (*test)(const struct gcm_path *path))
{
	test(NULL);
}
#endif

/* Bytes that look random and are the same in every run. */
static inline void fill(unsigned char *p, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		p[i] = (unsigned char)(seed >> 56);
	}
}

#endif

/*
 * SHA-256 in two speeds: what sha256.c (the message: lengths, padding, order)
 * asks of the code that works on whole blocks. Both give the same state, so a
 * message may change from one to the other between calls.
 */
#ifndef TLS_SHA256_PATH_H
#define TLS_SHA256_PATH_H

#include <mbedtls/sha256.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_BLOCK 64

struct sha256_path {
	const char *name;

	/* Can this machine run it? Costs CPUID, which a hypervisor traps: asked once a process. */
	bool (*usable)(void);

	/* FIPS 180-4, 6.2.2: `state` is a .. h, moved on by each of the blocks in turn. */
	void (*compress)(uint32_t state[8], const unsigned char *data, size_t blocks);
};

extern const struct sha256_path sha256_path_portable; /* any CPU */
extern const struct sha256_path sha256_path_shani; /* SHA extensions: AMD since Zen, Intel since Ice Lake */

extern const struct sha256_path *const sha256_paths[2]; /* best first; the last is always usable */

extern const uint32_t sha256_constants[64]; /* K of FIPS 180-4, 4.2.2; 16-byte aligned */

/* mbedtls_sha256_update() and _finish() on a path of the caller's choice, which must be usable. Tests. */
void sha256_update_on(mbedtls_sha256_context *ctx, const struct sha256_path *path, const unsigned char *input,
		      size_t size);
void sha256_finish_on(mbedtls_sha256_context *ctx, const struct sha256_path *path, unsigned char *output);

#endif

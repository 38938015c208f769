/*
 * AES-GCM in four speeds: what gcm.c (the message: padding, lengths, order,
 * tags) asks of the code that works on whole blocks. All paths give the same
 * bytes; a context stays on the path its key was set with.
 */
#ifndef TLS_GCM_PATH_H
#define TLS_GCM_PATH_H

#include <mbedtls/gcm.h>
#include <stdbool.h>
#include <stddef.h>

struct gcm_path {
	const char *name;

	/* Can this machine run it? Costs CPUID, which a hypervisor traps: asked once a process. */
	bool (*usable)(void);

	/* aes holds the key: H = E(0) and its powers. */
	void (*derive_powers)(mbedtls_gcm_context *gcm);

	/* One block of plain AES; in == out is allowed. */
	void (*encrypt_block)(const mbedtls_gcm_context *gcm, const unsigned char in[16],
			      unsigned char out[16]);

	/* hash = (..((hash ^ block 0) * H ^ block 1) * H ..) * H */
	void (*absorb)(mbedtls_gcm_context *gcm, const unsigned char *data, size_t blocks);

	/*
	 * Counter mode on whole blocks and absorb of the ciphertext, moving counter
	 * and hash on. out == in, or out below in, is allowed.
	 */
	void (*crypt)(mbedtls_gcm_context *gcm, const unsigned char *in, unsigned char *out, size_t blocks);
};

extern const struct gcm_path gcm_path_portable; /* any CPU */
extern const struct gcm_path gcm_path_aesni;	/* AES-NI, PCLMULQDQ: 8 blocks at once */
extern const struct gcm_path gcm_path_vaes;	/* VAES, VPCLMULQDQ on AVX2: 16 blocks, 2 a register */
extern const struct gcm_path gcm_path_vaes512;	/* the same on AVX-512: 16 blocks, 4 a register */

extern const struct gcm_path *const gcm_paths[4]; /* best first; the last is always usable */

/* mbedtls_gcm_setkey() on a path of the caller's choice, which must be usable. Tests and benchmarks. */
int gcm_setkey_on(mbedtls_gcm_context *gcm, const struct gcm_path *path, const unsigned char *key,
		  unsigned int bits);

#endif

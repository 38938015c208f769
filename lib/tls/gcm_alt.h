/*
 * The AES-GCM context that mbedTLS holds when it is built with MBEDTLS_GCM_ALT.
 * packaging/deps.sh copies this file to where mbedtls/gcm.h includes it by this
 * name; the functions of mbedtls/gcm.h are then ours (gcm.c). Nobody else looks
 * inside. A change here, be it a comment, rebuilds mbedTLS.
 *
 * mbedTLS may allocate it (16-byte aligned at best) and never copies it.
 */
#ifndef TLS_GCM_ALT_H
#define TLS_GCM_ALT_H

#include <mbedtls/aes.h>
#include <stdbool.h>
#include <stdint.h>

#define GCM_POWERS 16 /* of the hash key: as many blocks are hashed with one reduction */

typedef struct mbedtls_gcm_context {
	const struct gcm_path *path;	      /* borrowed; NULL until a key is set */
	mbedtls_aes_context aes;	      /* round keys */
	unsigned char powers[GCM_POWERS][16]; /* H^16 .. H^1, each in the form its path likes */

	/* one message, from starts to finish */
	bool open;
	bool encrypt;
	uint64_t aad_size, text_size; /* bytes so far */
	unsigned char counter[16];    /* last counter block used, big endian */
	unsigned char mask[16];	      /* E(J0): hides the hash in the tag */
	unsigned char hash[16];	      /* GHASH of all whole blocks so far */
	unsigned char partial[16];    /* AAD or ciphertext bytes that do not fill a block yet */
	unsigned char stream[16];     /* key stream of the block that `partial` belongs to */
} mbedtls_gcm_context;

#endif

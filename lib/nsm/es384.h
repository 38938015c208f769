/* ES384: ECDSA on P-384 with SHA-384 (RFC 7518 section 3.4), the one signature that attestation knows. */
#ifndef NSM_ES384_H
#define NSM_ES384_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "nsm/digest.h"

#define ES384_POINT_SIZE     97 /* 04 || x || y */
#define ES384_SIGNATURE_SIZE 96 /* r || s */

/*
 * True if the signature over message is by the key with that point. A point off the curve verifies nothing.
 */
bool es384_verify(const uint8_t point[ES384_POINT_SIZE], struct span message,
		  const uint8_t signature[ES384_SIGNATURE_SIZE]);

/* A private key that stays in the crypto library; id 0: none. */
struct es384_key {
	uint32_t id;
	bool deterministic;
};

/* exportable: may be copied into an mbedTLS pk, as making a certificate needs. */
bool es384_generate(struct es384_key *key, bool exportable, struct error *err);
/*
 * A key whose signatures take no random numbers but what key and message give (RFC 6979): a generator that
 * repeats itself, as those of two processes forked from one may, cannot give it away. Not exportable.
 */
bool es384_generate_deterministic(struct es384_key *key, struct error *err);
void es384_free(struct es384_key *key); /* wipes it */
void es384_point(const struct es384_key *key, uint8_t point[ES384_POINT_SIZE]);
bool es384_sign(const struct es384_key *key, struct span message, uint8_t signature[ES384_SIGNATURE_SIZE],
		struct error *err);

/* SHA-256 of the DER SubjectPublicKeyInfo that a point makes: the name of a key in claims. */
void es384_point_sha256(const uint8_t point[ES384_POINT_SIZE], uint8_t out[SHA256_SIZE]);

#endif

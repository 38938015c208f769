/*
 * The certificate chain of a document, walked in the order in which the NSM lists it:
 *
 *	bundle[0]      bundle[1] ..       bundle[n-1]     leaf
 *	root      ->   region, zone  ->   instance   ->   enclave's NSM, signs the document
 *
 * There is no search for a path: each certificate must be issued by the one before it, the first must be
 * the root we trust, by the SHA-256 of its DER. All keys are P-384, all signatures ECDSA with SHA-384.
 * RFC 5280 sections 4.2.1.3, 4.2.1.9, 6.1; revocation is not looked at (the leaf lives three hours).
 */
#ifndef NSM_CHAIN_H
#define NSM_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "nsm/digest.h"
#include "nsm/es384.h"
#include "nsm/refusal.h"

/* A leaf's notBefore is the moment it was made, so a clock slightly behind AWS's sees it in the future. */
#define CHAIN_SKEW_SECONDS 300

struct chain {
	struct span leaf;
	const struct span *bundle; /* root first; at least one */
	size_t count;
};

/* At that time (seconds since 1970). Gives the leaf's public key. */
bool chain_verify(const struct chain *c, const uint8_t root[SHA256_SIZE], int64_t at,
		  uint8_t leaf_point[ES384_POINT_SIZE], struct refusal *why);

#endif

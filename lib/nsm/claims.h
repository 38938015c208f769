/*
 * Claims: what an enclave says about itself, bound to its attestation document by
 *
 *	user_data = SHA-256 of the claims' text
 *
 * The text has one form (version 2): these eight lines in this order, each `name: value` and a newline,
 * nothing before, between or behind them. So `sha256sum` over what was served is the check.
 *
 *	nitroproxy-claims: 2
 *	version: 1.2.3                1..64 of A-Z a-z 0-9 . _ + - ~
 *	binary-sha256: 64 hex digits  the executable's bytes
 *	policy-sha256: ..             the policy's canonical text (proxy/policy.h)
 *	trust-store-sha256: ..        the SHA-256 of each root's DER, sorted (tls/trust.h)
 *	config-sha256: ..             the settings in effect, as `enclave --print-config=json` prints them
 *	ingress-key-sha256: ..        the DER SubjectPublicKeyInfo of the key that ends TLS in the enclave
 *	receipt-key-sha256: ..        likewise of the key that signs receipts (nsm/receipt.h)
 *
 * Digits are lower-case; `-` stands for what there is none of. Another set of lines will be another version.
 */
#ifndef NSM_CLAIMS_H
#define NSM_CLAIMS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "nsm/digest.h"

#define CLAIMS_MAX	   1024 /* bytes of text */
#define CLAIMS_VERSION_MAX 64

enum claim {
	CLAIM_BINARY,
	CLAIM_POLICY,
	CLAIM_TRUST_STORE,
	CLAIM_CONFIG,
	CLAIM_INGRESS_KEY,
	CLAIM_RECEIPT_KEY,
	CLAIM_COUNT
};

struct claims {
	char version[CLAIMS_VERSION_MAX + 1];
	bool has[CLAIM_COUNT];
	uint8_t sha256[CLAIM_COUNT][SHA256_SIZE];
};

const char *claim_name(enum claim c); /* "policy" */

/* sha256 of what is claimed; bytes.p NULL: there is none. */
void claims_set(struct claims *c, enum claim which, struct span bytes);

bool claims_write(const struct claims *c, struct buf *out, struct error *err);
bool claims_parse(struct span text, struct claims *c, struct error *err);

#endif

/*
 * Attestation documents: what the Nitro Security Module signs about an enclave
 * (AWS, "Verifying the root of trust", aws-nitro-enclaves-nsm-api docs/attestation_process.md).
 *
 * A COSE_Sign1 whose payload is a CBOR map of these fields and no others:
 *
 *	module_id    text 1..256            certificate  DER of the signing key, 1..1024 bytes
 *	digest       "SHA384"               cabundle     1..8 of those, root first
 *	timestamp    ms since 1970, > 0     public_key   null or 1..1024 bytes
 *	pcrs         1..32 of index 0..31   user_data    null or 0..1024 bytes
 *	             -> 32, 48 or 64 bytes  nonce        null or 0..1024 bytes
 *
 * The last three may be missing altogether. AWS's text gives 512 for user_data and nonce in one place and
 * 1024 in another: we accept 1024 and produce at most 512.
 */
#ifndef NSM_ATTESTATION_H
#define NSM_ATTESTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "nsm/cose.h"
#include "nsm/digest.h"
#include "nsm/refusal.h"

#define ATTESTATION_PCRS	 32
#define ATTESTATION_PCR_MAX	 64 /* bytes */
#define ATTESTATION_BUNDLE_MAX	 8
#define ATTESTATION_CERT_MAX	 1024
#define ATTESTATION_MODULE_MAX	 256
#define ATTESTATION_OPTIONAL_MAX 1024
#define ATTESTATION_NONCE_SEND	 512 /* the most that we ask an NSM to sign, user_data likewise */

/* A document taken apart; all spans point into it. p NULL: absent or null. */
struct attestation {
	struct cose_sign1 envelope;
	struct span module_id;
	uint64_t timestamp; /* ms since 1970 */
	struct span pcrs[ATTESTATION_PCRS];
	struct span certificate;
	struct span bundle[ATTESTATION_BUNDLE_MAX];
	size_t bundle_count;
	struct span public_key, user_data, nonce;
};

/* Syntax only: nothing in it may be believed yet. */
bool attestation_parse(struct span document, struct attestation *a, struct refusal *why);
/* The payload alone, when the envelope is there already. */
bool attestation_parse_payload(struct attestation *a, struct refusal *why);

/* The payload that says the same, in AWS's order. Who signs it decides what it is worth (soft.h, tests). */
void attestation_write(const struct attestation *a, struct buf *payload);

/* SHA-256 of the DER of AWS's root "aws.nitro-enclaves" (G1, 2019 to 2049). */
extern const uint8_t attestation_aws_root[SHA256_SIZE];

/* What a verifier wants. Spans are borrowed; p NULL: not asked for. */
struct attestation_wish {
	const uint8_t *root; /* SHA256_SIZE bytes; NULL: AWS's */
	int64_t at;	     /* seconds since 1970 */
	int64_t max_age;     /* seconds between timestamp and `at`; 0: as long as the chain is valid */
	bool allow_debug;    /* PCR0, 1 or 2 may be zero */
	bool allow_unsigned; /* an emulator's document will do, which anybody can make: see emulated.h */
	struct span pcrs[ATTESTATION_PCRS];
	struct span nonce;
	struct span claims; /* what user_data must be the digest of, see claims.h */
};

/* The steps, in the order taken; each rests on those before it. */
enum attestation_step {
	ATTESTATION_STEP_SYNTAX,
	ATTESTATION_STEP_CHAIN,
	ATTESTATION_STEP_SIGNATURE,
	ATTESTATION_STEP_PCRS,
	ATTESTATION_STEP_NONCE,
	ATTESTATION_STEP_TIME,
	ATTESTATION_STEP_CLAIMS,
	ATTESTATION_STEP_COUNT
};

const char *attestation_step_name(enum attestation_step step); /* "syntax" */

/* How far it came. */
struct attestation_report {
	enum attestation_step failed; /* ATTESTATION_STEP_COUNT: none */
	struct refusal why;
	bool is_unsigned;	     /* chain and signature have not been checked, for there are none */
	struct attestation document; /* to be believed only when nothing failed */
};

bool attestation_verify(struct span document, const struct attestation_wish *wish,
			struct attestation_report *report);

/* Whether PCR0, 1 or 2 is all zero: an enclave in debug mode. */
bool attestation_is_debug(const struct attestation *a);

#endif

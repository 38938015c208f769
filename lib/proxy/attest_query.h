/*
 * What may be asked about attestation:
 *
 *	GET /attestation?nonce=HEX      a document over these 16..64 bytes, which should be random and the asker's own
 *	    Accept: application/json    .. together with the claims it vouches for; otherwise CBOR
 *	GET /attestation/claims         the claims that user_data is the digest of
 *	GET /attestation/root           nsm: software only: the root of its certificates, in DER
 */
#ifndef PROXY_ATTEST_QUERY_H
#define PROXY_ATTEST_QUERY_H

#include "base/error.h"
#include "http/head.h"

#define ATTEST_NONCE_MIN 16
#define ATTEST_NONCE_MAX 64

struct attest_query {
	enum { ATTEST_DOCUMENT, ATTEST_CLAIMS, ATTEST_ROOT } what;
	/* of a document */
	uint8_t nonce[ATTEST_NONCE_MAX];
	size_t nonce_len;
	bool json;
};

/* target: "/attestation?nonce=.."; h: for method and Accept. The error says what would be right. */
bool attest_query_parse(struct span target, const struct head *h, struct attest_query *q, struct error *err);

#endif

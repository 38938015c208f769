/*
 * Receipts: what an enclave saw of one exchange with a service, signed.
 *
 *	COSE_Sign1 (nsm/cose.h: ES384, nothing in its headers but that) over the payload
 *
 *	{                                   one map of twelve pairs, in this order, which is that of
 *	  "v":        1,                    RFC 8949 section 4.2.1; one receipt has one encoding
 *	  "key":      97 bytes,             the point on P-384 (04 || x || y) whose key has signed; which
 *	                                    enclave has it, the claim receipt-key says (nsm/claims.h)
 *	  "tls":      "TLSv1.3"  | null,    null, with peer and cipher: http://, nothing proves who
 *	                                    answered
 *	  "path":     32 bytes,             SHA-256 of path and query as they went to the service
 *	  "peer":     32 bytes   | null,    SHA-256 of the service's leaf certificate, DER. Of a resumed
 *	                                    session: that of the handshake it goes back to
 *	  "time":     1700000000123,        ms since 1970 (to the year 9999), by the enclave's clock, when
 *	                                    the response was whole
 *	  "cipher":   "TLS_.."   | null,    IANA's name
 *	  "method":   "GET",                1 to 32 bytes of a token
 *	  "status":   200,                  100 to 999
 *	  "target":   "https://host:port",  without a default port; names in the form of net/hostname.h
 *	  "request":  32 bytes   | null,    SHA-256 of the body; null: it had not gone out whole when the
 *	                                    response was
 *	  "response": 32 bytes              SHA-256 of the body as it was passed on
 *	}
 *
 * A body is the content of RFC 9110 section 6.4: what is left when chunks are taken apart, Content-Encoding
 * as it is. Of nothing it is the SHA-256 of nothing. Fields and trailers are not covered.
 */
#ifndef NSM_RECEIPT_H
#define NSM_RECEIPT_H

#include "base/buf.h"
#include "base/error.h"
#include "nsm/cose.h"
#include "nsm/digest.h"

#define RECEIPT_MAX	   1024 /* bytes of a whole one */
#define RECEIPT_METHOD_MAX 32
#define RECEIPT_TARGET_MAX 300
#define RECEIPT_SUITE_MAX  64 /* of tls and of cipher */

struct receipt {
	uint64_t time;
	struct span method, target;
	bool secure; /* the next three are set */
	struct span tls, cipher;
	uint8_t peer[SHA256_SIZE];
	uint8_t path[SHA256_SIZE];
	unsigned status;
	bool has_request;
	uint8_t request[SHA256_SIZE], response[SHA256_SIZE];
};

/* What came in; spans point into what was parsed. Nothing of it is to be believed yet. */
struct receipt_read {
	struct receipt said;
	uint8_t point[ES384_POINT_SIZE];
	struct cose_sign1 envelope;
};

/* A key for receipts. The point is kept beside it: to work it out takes as long as a signature. */
struct receipt_key {
	struct es384_key key;
	uint8_t point[ES384_POINT_SIZE];
	uint8_t sha256[SHA256_SIZE]; /* what is claimed of it */
};
bool receipt_key_make(struct receipt_key *k, struct error *err);
void receipt_key_free(struct receipt_key *k);

/* Appends one by that key. ERR_INTERNAL: it cannot be said in a receipt (a long method, say). */
bool receipt_write(struct buf *out, const struct receipt *r, const struct receipt_key *key,
		   struct error *err);

/* The whole of `in`. REFUSE_ENCODING, REFUSE_ENVELOPE or REFUSE_RECEIPT. */
bool receipt_parse(struct span in, struct receipt_read *r, struct refusal *why);

/* By the key that is claimed, and signed by it. REFUSE_RECEIPT_KEY or REFUSE_RECEIPT_SIGNATURE. */
bool receipt_verify(const struct receipt_read *r, const uint8_t claimed_key[SHA256_SIZE],
		    struct refusal *why);

#endif

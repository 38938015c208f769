/*
 * COSE_Sign1 (RFC 9052 section 4.2) as the NSM makes it:
 *
 *	[ protected: bytes{ {1: -35} },  unprotected: {},  payload: bytes,  signature: 96 bytes r || s ]
 *
 * with or without tag 18 in front. -35 is ES384, and nothing else may stand in either header: what is not
 * there need not be understood. Signed are the bytes of ["Signature1", protected, h'', payload].
 */
#ifndef NSM_COSE_H
#define NSM_COSE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "nsm/es384.h"
#include "nsm/refusal.h"

#define COSE_PAYLOAD_MAX 16384
#define COSE_MAX                                                                                             \
	(COSE_PAYLOAD_MAX +                                                                                  \
	 128) /* a whole one: tag, heads, header and signature are 112 at most            \
				  */

struct cose_sign1 {
	struct span protected_header, payload; /* point into what was parsed */
	const uint8_t *signature;	       /* ES384_SIGNATURE_SIZE bytes */
};

/* The whole of `in`. REFUSE_ENCODING or REFUSE_ENVELOPE. */
bool cose_parse(struct span in, struct cose_sign1 *c, struct refusal *why);

bool cose_verify(const struct cose_sign1 *c, const uint8_t point[ES384_POINT_SIZE]);

/* Appends the envelope (without a tag, like the NSM) around 1..COSE_PAYLOAD_MAX bytes of payload. */
bool cose_sign(struct buf *out, struct span payload, const struct es384_key *key, struct error *err);

#endif

/*
 * The signature of an image, as aws-nitro-enclaves-image-format makes it: CBOR,
 *
 *	[ {"signing_certificate": [bytes of the PEM, each a number],
 *	   "signature":           [bytes of a COSE_Sign1, each a number]} ]
 *
 * and what the COSE_Sign1 (ES384) holds is {"register_index": 0, "register_value": [bytes of PCR0, each a
 * number]}.
 */
#ifndef EIF_EIF_SIGN_H
#define EIF_EIF_SIGN_H

#include "base/buf.h"
#include "base/error.h"
#include "eif/eif.h"

#define EIF_CERTIFICATE_MAX 16384 /* PEM */

/* certificate and private_key are PEM. */
bool eif_sign(const uint8_t pcr0[SHA384_SIZE], struct span certificate, struct span private_key,
	      struct buf *signature, struct error *err);

/* The PEM of the first signer in a signature section; pem is empty and may hold EIF_CERTIFICATE_MAX. */
bool eif_signer(struct span signature, struct buf *pem, struct error *err);

#endif

/* Who signs images: a P-384 key and its certificate, as files of PEM. */
#ifndef NSM_SIGNER_H
#define NSM_SIGNER_H

#include "nsm/digest.h"
#include "nsm/es384.h"

/* The key (PKCS #8 or SEC 1, not encrypted), which must be the certificate's. Freed by es384_free. */
bool signer_load(struct span certificate, struct span private_key, struct es384_key *key, struct error *err);

/* SHA-384 of the DER of the one certificate in PEM: what PCR8 is made of. */
bool signer_fingerprint(struct span certificate, uint8_t out[SHA384_SIZE], struct error *err);

#endif

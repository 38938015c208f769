/*
 * Why a piece of evidence is not believed: one word for programs, a sentence for people. Every rule that
 * a document can break has its own word, so that a test can tell that it was that rule that bit.
 * The sentence holds our words and numbers, never bytes of the document.
 */
#ifndef NSM_REFUSAL_H
#define NSM_REFUSAL_H

#include <stdbool.h>

#define REFUSALS(X)                                                                                          \
	X(NONE, "none")                                                                                      \
	/* syntax */                                                                                         \
	X(ENCODING, "encoding") /* not the strict CBOR of cbor.h */                                          \
	X(ENVELOPE, "envelope") /* not a COSE_Sign1 with ES384 */                                            \
	X(FIELD, "field")	/* a field is missing, unknown, of another type or size */                   \
	/* chain, root to leaf */                                                                            \
	X(ROOT, "root")			      /* does not begin with the root we trust */                    \
	X(CERTIFICATE, "certificate")	      /* not one X.509 v3 certificate in DER */                      \
	X(ALGORITHM, "algorithm")	      /* other than P-384 with SHA-384 */                            \
	X(CONSTRAINTS, "constraints")	      /* basicConstraints, pathlen or keyUsage */                    \
	X(NOT_YET_VALID, "not_yet_valid")     /* before a certificate's notBefore */                         \
	X(EXPIRED, "expired")		      /* after a certificate's notAfter */                           \
	X(ISSUER, "issuer")		      /* names do not chain in the order given */                    \
	X(CHAIN_SIGNATURE, "chain_signature") /* a certificate is not signed by the one before it */         \
	/* the document itself */                                                                            \
	X(SIGNATURE, "signature")                                                                            \
	X(DEBUG_MODE, "debug_mode") /* PCR0, 1 or 2 is zero: anybody can look inside */                      \
	X(PCR, "pcr")                                                                                        \
	X(NONCE, "nonce")                                                                                    \
	X(FUTURE, "future")                                                                                  \
	X(AGE, "age")                                                                                        \
	/* what it vouches for */                                                                            \
	X(CLAIMS, "claims")		/* user_data is not the digest of the claims shown */                \
	X(CLAIMED_FILE, "claimed_file") /* a claim is not the digest of the file shown */                    \
	X(CHANNEL, "channel")		/* the TLS session ends at another key than the claimed one */       \
	/* receipts */                                                                                       \
	X(RECEIPT, "receipt")			  /* its content is not in the one form of receipt.h */      \
	X(RECEIPT_KEY, "receipt_key")		  /* by another key than the claimed one */                  \
	X(RECEIPT_SIGNATURE, "receipt_signature") /* not signed by that key */                               \
	X(RECEIPT_TARGET, "receipt_target")	  /* for another target than the one shown */                \
	X(RECEIPT_REQUEST, "receipt_request")	  /* for another body of the request .. */                   \
	X(RECEIPT_RESPONSE, "receipt_response")	  /* .. or of the response */

enum refusal_reason {
#define X(reason, name) REFUSE_##reason,
	REFUSALS(X)
#undef X
		REFUSE_REASONS /* how many */
};

struct refusal {
	enum refusal_reason reason;
	char text[200];
};

/* Returns false, so that `return refuse(...)` reads well. */
bool refuse(struct refusal *r, enum refusal_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
const char *refusal_name(enum refusal_reason reason); /* "chain_signature" */

#endif

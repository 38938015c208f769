/*
 * Does this chain prove that the peer is the server that was asked for, or a client that one of our roots
 * vouches for? mbedTLS parses and checks signatures; everything that is decided is decided here (RFC 5280
 * section 6, RFC 9525, and where a choice is left the stricter side of the CA/Browser baseline).
 *
 *	leaf        v3, now within its validity, no CA, may sign, serverAuth (when purposes are named),
 *	            subjectAltName holds the name; a client's: clientAuth, named, and no name of any kind
 *	every CA    v3, now within its validity, CA:TRUE, may sign certificates (when usage is named),
 *	            serverAuth (of clients clientAuth) or any (when purposes are named), path length,
 *	            name constraints
 *	every one   SHA-256 or better, RSA >= 2048 or P-256/384/521, see cert_view.h for the form
 *
 * The path is searched depth first through what the peer sent, in whatever order, to any
 * root of the trust store; a dead end is left and the next issuer tried. Signatures and
 * comparisons have a budget, so that a chain made to be slow is refused instead.
 *
 * Not done: revocation, policies (critical ones are refused), certificates by other means
 * than from the peer.
 */
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include <mbedtls/x509_crt.h>
#include <stdint.h>

#include "base/error.h"
#include "tls/chain_cache.h"
#include "tls/trust.h"

#define VERIFY_MAX_CERTS 32 /* that the peer may send */
#define VERIFY_MAX_PATH	 10 /* leaf and root included */

struct verify_request {
	const mbedtls_x509_crt *chain; /* leaf first */
	const struct trust *trust;
	const char *host;	   /* canonical DNS name or bare IP literal; NULL: the peer is a client */
	int64_t at;		   /* seconds since 1970 */
	struct chain_cache *cache; /* borrowed, for this trust store; NULL: none */
};

struct verify_result {
	size_t length;	     /* certificates of the path found, root included */
	int64_t not_after;   /* when the first of them expires */
	unsigned signatures; /* how many were checked: what it cost; 0: known from the cache */
	uint8_t alert;	     /* refused: what to tell the peer (RFC 8446 section 6.2) */
};

/* err: ERR_TLS_CERTIFICATE at hop service or client, with the reason. result may be NULL. */
bool verify_chain(const struct verify_request *rq, struct verify_result *result, struct error *err);

/* A certificate's time as seconds since 1970. */
int64_t verify_seconds(const mbedtls_x509_time *t);

#endif

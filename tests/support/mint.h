/*
 * Certificates of any shape, right and wrong, made on the spot: each test changes the
 * one thing that is to be wrong in an otherwise good chain.
 */
#ifndef TESTS_MINT_H
#define TESTS_MINT_H

#include <mbedtls/x509_crt.h>

#include "base/span.h"

struct trust;

#define MINT_KEYS 4 /* P-256 keys 0..3 */

struct mint {
	const char *subject, *issuer; /* "CN=.."; "" for an empty one */
	int key, issuer_key;
	int ca;		      /* -1: no basicConstraints; 0; 1 */
	int path_len;	      /* -1: none */
	unsigned usage;	      /* MBEDTLS_X509_KU_*; 0: no keyUsage */
	const char *purposes; /* letters: s serverAuth, c clientAuth, a any; NULL: no extendedKeyUsage */
	struct span names;    /* GeneralNames, without the SEQUENCE around; p NULL: no subjectAltName */
	bool names_critical;
	struct span permitted, excluded; /* GeneralNames; each becomes a subtree; p NULL: absent */
	bool constraints_critical;
	const char *from, *to; /* "20260101000000" */
	struct span serial;
	bool v1;
	mbedtls_md_type_t md;
	struct span extra_oid, extra; /* one more extension */
	bool extra_critical;
};

/* Defaults: valid all of 2026, serial 1, SHA-256, key 0 by key 0. */
struct mint mint_root(void);	     /* CN=root, key 0 */
struct mint mint_intermediate(void); /* CN=intermediate, key 1, by root */
struct mint mint_leaf(void);	     /* CN=leaf, key 2, by intermediate, DNS:example.com */

/* Appends it to the chain with cert_parse_der; 0 or mbedTLS's error. */
int mint_add(mbedtls_x509_crt *chain, const struct mint *m);
/* One who trusts that certificate alone. The caller frees it. */
struct trust *mint_trust(const mbedtls_x509_crt *root);
void mint_free(void); /* the keys */

#endif

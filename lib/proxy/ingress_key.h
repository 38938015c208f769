/*
 * A key that ends TLS in the enclave. Either born here, gone with the process, never written anywhere: its
 * self-signed certificate says nothing; that this key is in an enclave, the attestation document says. Or
 * read from a file (ingress.certificate, ingress.key), for clients that know nothing of attestation: then it
 * is no safer than the way by which that file came here. The document names either.
 */
#ifndef PROXY_INGRESS_KEY_H
#define PROXY_INGRESS_KEY_H

#include "proxy/settings.h"
#include "tls/hash.h"

struct ingress_key {
	struct tls_conf *tls; /* owned: TLS 1.3 alone, without tickets: a resumed session would show no key */
	uint8_t sha256[HASH_SIZE]; /* of its SubjectPublicKeyInfo */
	uint8_t chain[HASH_SIZE];  /* of its certificates' text, to know them again */
};

/* False: err, nothing to free. */
bool ingress_key_make(struct ingress_key *k, const struct settings *s, struct error *err);

#endif

/*
 * A key that ends TLS in the enclave: born here, gone with the process, never written anywhere. Its
 * self-signed certificate says nothing; that this key is in an enclave, the attestation document says.
 */
#ifndef PROXY_INGRESS_KEY_H
#define PROXY_INGRESS_KEY_H

#include "base/text_list.h"
#include "tls/hash.h"
#include "tls/tls_conf.h"

/*
 * TLS 1.3 alone, P-256, without tickets: a resumed session would show no key. names: of the certificate;
 * seconds: for which it is to be valid at least. sha256: of its SubjectPublicKeyInfo. NULL with err.
 */
struct tls_conf *ingress_key_new(const struct text_list *names, uint64_t seconds, uint8_t sha256[HASH_SIZE],
				 struct error *err);

#endif

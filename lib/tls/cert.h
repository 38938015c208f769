/*
 * Certificates made at run time (P-256, SHA-256, X.509 v3): a CA that lives as long as the
 * process and servers' certificates under it, for the demo's origin, development and tests;
 * and certificates of a key alone, for the enclave's ingress, whose clients trust the key by
 * attestation. Nothing here is meant to be trusted for its signatures by anybody else.
 */
#ifndef TLS_CERT_H
#define TLS_CERT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct cert_ca;

/* name: its common name, [A-Za-z0-9 .-]. Valid from an hour before now, for `days`. NULL: err. */
struct cert_ca *cert_ca_new(const char *name, int64_t now, unsigned days, struct error *err);
void cert_ca_free(struct cert_ca *ca); /* NULL is fine; the key is wiped */
const char *cert_ca_pem(const struct cert_ca *ca);

#define CERT_PEM_MAX   8192
#define CERT_HOSTS_MAX 16

/*
 * A server's certificate for DNS names and IP literals (NULL-terminated; 1 to CERT_HOSTS_MAX),
 * and its key, both PEM. The bufs are initialised by the caller with CERT_PEM_MAX or more.
 */
bool cert_issue(struct cert_ca *ca, const char *const *hosts, int64_t now, unsigned days,
		struct buf *chain_pem, struct buf *key_pem, struct error *err);

/* The same without a CA: signed by its own key. */
bool cert_issue_self(const char *const *hosts, int64_t now, unsigned days, struct buf *chain_pem,
		     struct buf *key_pem, struct error *err);

#endif

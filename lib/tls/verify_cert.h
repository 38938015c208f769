/* What one certificate has to fulfil by itself, before signatures are looked at. See verify.h. */
#ifndef TLS_VERIFY_CERT_H
#define TLS_VERIFY_CERT_H

#include <stdint.h>

#include "tls/cert_view.h"
#include "tls/server_name.h"

/* name NULL: it is a client's, which has none to prove. */
bool verify_leaf(const struct cert_view *v, const struct server_name *name, int64_t at, struct error *err);
/* The alert that tells its owner why (RFC 8446 section 6.2), when it has been refused. */
uint8_t verify_leaf_alert(const struct cert_view *v, bool of_client, int64_t at);
/* An intermediate or a root. */
bool verify_issuer(const struct cert_view *v, bool is_root, bool of_client, int64_t at, struct error *err);
/* That checking a signature by its key does not cost more than it should. */
bool verify_key_cost(const mbedtls_x509_crt *crt, struct error *err);

#endif

/* What one certificate has to fulfil by itself, before signatures are looked at. See verify.h. */
#ifndef TLS_VERIFY_CERT_H
#define TLS_VERIFY_CERT_H

#include <stdint.h>

#include "tls/cert_view.h"
#include "tls/server_name.h"

bool verify_leaf(const struct cert_view *v, const struct server_name *name, int64_t at, struct error *err);
/* An intermediate or a root. */
bool verify_issuer(const struct cert_view *v, bool is_root, int64_t at, struct error *err);

#endif

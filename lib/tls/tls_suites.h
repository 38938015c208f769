/* Cipher suites by name. All are AEAD with ECDHE; nothing else can be asked for. */
#ifndef TLS_TLS_SUITES_H
#define TLS_TLS_SUITES_H

#include "tls/tls_conf_impl.h"

/* names: see struct tls_options. Without any suite for min_version: ERR_CONFIG. */
bool tls_suites_read(int suites[TLS_MAX_SUITES + 1], const char *const *names, enum tls_version min_version,
		     struct error *err);

#endif

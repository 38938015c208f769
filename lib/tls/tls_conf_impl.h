/* What a configuration is made of: for tls_conf.c and tls_stream.c. */
#ifndef TLS_TLS_CONF_IMPL_H
#define TLS_TLS_CONF_IMPL_H

#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>

#include "tls/chain_cache.h"
#include "tls/tls_conf.h"
#include "tls/trust.h"

#define TLS_MAX_SUITES 16

struct tls_conf {
	enum tls_role role;
	mbedtls_ssl_config ssl;
	int suites[TLS_MAX_SUITES + 1]; /* ends with 0 */
	struct trust *trust; /* owned; NULL when nothing is verified; of a server: who vouches for clients */
	/* client */
	struct chain_cache *chains; /* owned; NULL: at is set, or nothing is verified */
	size_t skipped;
	int64_t at;	     /* 0: the clock */
	uint8_t identity[8]; /* of what a session depends on: trust, verification, versions */
	/* its own; a client need not have them */
	mbedtls_x509_crt chain;
	mbedtls_pk_context key;
	/* server */
	mbedtls_ssl_ticket_context ticket;
};

#endif

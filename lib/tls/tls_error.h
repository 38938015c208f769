/* mbedTLS's error codes as errors and words of ours. */
#ifndef TLS_TLS_ERROR_H
#define TLS_TLS_ERROR_H

#include <mbedtls/ssl.h>

#include "base/error.h"

#define TLS_REASON_MAX 128

/* A reason in words for a code of mbedTLS; returns buf. */
const char *tls_reason(int rc, char buf[TLS_REASON_MAX]);

/* "certificate_expired (45)"; a number alone when it is unknown. */
const char *tls_alert_name(int alert, char buf[TLS_REASON_MAX]);

/* Calls that can fail only for want of memory: that ends the process, anything else is a broken invariant. */
void tls_must(int rc);

/* rc says that there was no memory: that ends the process, lest a certificate or a peer be blamed for it. */
void tls_check_memory(int rc);

/* What a failed handshake, read or write means. Sets kind, hop service, and a sentence. */
bool tls_error_set(struct error *err, const mbedtls_ssl_context *ssl, int rc, bool handshake);

#endif

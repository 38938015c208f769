/*
 * Reading certificates from files and memory. nameConstraints are let through also when
 * they are critical (mbedTLS alone refuses those), for verify.c enforces them; every
 * other critical extension that is not understood refuses the certificate.
 *
 * In a handshake mbedTLS parses what the peer sends, and offers no hook. So that the same
 * chain gets the same verdict there, the linker is asked with
 *
 *	-Wl,--wrap=mbedtls_x509_crt_parse_der
 *
 * to send mbedTLS's own calls here too. Without it such chains are refused, nothing worse.
 */
#ifndef TLS_CERT_PARSE_H
#define TLS_CERT_PARSE_H

#include <mbedtls/x509_crt.h>

#include "base/buf.h"
#include "base/error.h"

#define CERT_FILE_MAX (16u << 20)

/* A whole file, at most CERT_FILE_MAX bytes. b is initialised here; free it in any case. */
bool cert_read_file(struct buf *b, const char *path, struct error *err);

/* Appends one certificate to the chain; 0 or mbedTLS's error. */
int cert_parse_der(mbedtls_x509_crt *chain, const unsigned char *der, size_t n);

/* Called for each certificate found, counted from 1; rc: its parsing. False ends the walk. */
typedef bool cert_parse_fn(void *arg, size_t number, int rc);

/*
 * Appends all certificates of PEM text (or one in DER) to the chain in their order, text
 * between them being passed over. Says how many there were, readable or not.
 */
size_t cert_parse_all(mbedtls_x509_crt *chain, struct span text, cert_parse_fn *fn, void *arg);

#endif

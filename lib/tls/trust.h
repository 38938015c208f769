/*
 * The trust store: the root certificates that a chain may end in. Read once at start,
 * shared, never changed afterwards.
 *
 * Its identity is the SHA-256 over the sorted SHA-256 hashes of its certificates' DER,
 * so that the same roots give the same value in whatever files and order they came.
 */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <mbedtls/x509_crt.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct trust;

struct trust *trust_new(void);
void trust_free(struct trust *t); /* NULL is fine */

/*
 * PEM with one or many certificates, or one in DER. Every certificate in it has to be
 * readable: a root that is silently not trusted is an outage that nobody can explain.
 * err: ERR_CONFIG naming the file and which certificate.
 */
bool trust_add_file(struct trust *t, const char *path, struct error *err);
/* Every regular *.pem, *.crt, *.cer and *.der file in it; at least one. */
bool trust_add_directory(struct trust *t, const char *path, struct error *err);
/* The bundle of the distribution. What cannot be read in it is counted in *skipped. */
bool trust_add_system(struct trust *t, size_t *skipped, struct error *err);

size_t trust_count(const struct trust *t);
void trust_sha256(const struct trust *t, uint8_t out[32]);

/* The roots whose subject is this one: calls fn until it returns true, and says whether it did. */
typedef bool trust_fn(void *arg, const mbedtls_x509_crt *root);
bool trust_find(const struct trust *t, struct span subject, trust_fn *fn, void *arg);

#endif

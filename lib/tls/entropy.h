/*
 * The random generator of everything that mbedTLS does: PSA's, seeded from getrandom(2).
 * A process that cannot get random bytes must not start: entropy_start() is called once,
 * before any thread, certificate or configuration, and its failure ends the process.
 */
#ifndef TLS_ENTROPY_H
#define TLS_ENTROPY_H

#include <stddef.h>

#include "base/error.h"

/* May be called again; err: ERR_INTERNAL. */
bool entropy_start(struct error *err);
/*
 * In a process that was forked, before it wants its first byte: a generator of its own. A cloned one would
 * draw the same bytes as its siblings' (psa/crypto_extra.h), though newer versions notice that by themselves.
 */
void entropy_forked(void);
/* For keys, nonces and ids. Cannot fail once started: a generator that breaks later ends the process. */
void entropy_fill(void *p, size_t n);
/* In the form that mbedTLS asks for; arg is not used. */
int entropy_rng(void *arg, unsigned char *p, size_t n);

#endif

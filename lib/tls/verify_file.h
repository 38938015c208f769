/*
 * The enclave's verifier (verify.h) asked about files: for the command line, and for
 * judging it from outside.
 */
#ifndef TLS_VERIFY_FILE_H
#define TLS_VERIFY_FILE_H

#include <stdint.h>

#include "base/error.h"

/*
 * Roots from ca_file (NULL: the system's), chain_file with the leaf first, in PEM or one
 * in DER; at: seconds since 1970. err: ERR_TLS_CERTIFICATE refused; ERR_CONFIG a file
 * that cannot be read.
 */
bool verify_chain_file(const char *ca_file, const char *host, int64_t at, const char *chain_file,
		       struct error *err);

#endif

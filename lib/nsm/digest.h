/* SHA-256 and SHA-384 of bytes in memory. */
#ifndef NSM_DIGEST_H
#define NSM_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define SHA256_SIZE 32
#define SHA384_SIZE 48

void digest_sha256(struct span in, uint8_t out[SHA256_SIZE]);
/* Of a, then b: a PCR is extended by SHA384(old value || data). b may be empty. */
void digest_sha384(struct span a, struct span b, uint8_t out[SHA384_SIZE]);
/* Of the spans as if they stood behind one another. */
void digest_sha384_all(const struct span *v, size_t count, uint8_t out[SHA384_SIZE]);

/* Exactly 2 * size hexadecimal digits of either case. */
bool digest_from_hex(struct span hex, uint8_t *out, size_t size);
void digest_to_hex(const uint8_t *in, size_t size, char *hex /* 2 * size + 1 */);

#endif

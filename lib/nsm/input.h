/* Evidence as people keep it in files: documents in CBOR or base64, certificates in PEM or DER. */
#ifndef NSM_INPUT_H
#define NSM_INPUT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "nsm/digest.h"

/* Appends the whole file, as far as out's cap allows; path "-" is standard input. */
bool input_read(const char *path, struct buf *out, struct error *err);

/* A document as it was read: base64 becomes what it stands for, all else stays and is the verifier's to
 * judge. */
void input_document(struct buf *document);

/* SHA-256 of the DER of the one certificate in a file's content. */
bool input_root(struct span file, uint8_t root[SHA256_SIZE], struct error *err);

#endif

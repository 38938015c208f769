/* Base 64 (RFC 4648 section 4): the one canonical spelling of each value, with its padding. */
#ifndef PROXY_BASE64_H
#define PROXY_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/* False when it is malformed or has more than `room` bytes; out may then hold part of it. */
bool base64_decode(struct span text, char *out, size_t room, size_t *len);
void base64_encode(struct span bytes, struct buf *out);

#endif

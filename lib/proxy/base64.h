/* Base 64 (RFC 4648 section 4), to bytes: the one canonical spelling of each value, with its padding. */
#ifndef PROXY_BASE64_H
#define PROXY_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/* False when it is malformed or has more than `room` bytes; out may then hold part of it. */
bool base64_decode(struct span text, char *out, size_t room, size_t *len);

#endif

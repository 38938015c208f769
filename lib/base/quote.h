/*
 * Bytes of any origin made into text that cannot break out of where it stands: control
 * bytes, quotes and backslashes become JSON escapes (RFC 8259 section 7), what is not
 * UTF-8 (overlong forms and surrogates included) becomes U+FFFD, and so do the C1 controls,
 * which some terminals obey.
 */
#ifndef BASE_QUOTE_H
#define BASE_QUOTE_H

#include <stddef.h>

#include "base/span.h"

/*
 * The escaped form of s without the quotes around it, as much as fits into room bytes; never
 * half an escape or half a character. Returns the bytes written, no 0 behind them. *taken:
 * how many bytes of s that covers; or NULL.
 */
size_t quote_json(char *out, size_t room, struct span s, size_t *taken);

/* For error texts: quoted, cut to a readable length with "..", 0 behind. */
#define QUOTE_CLIP 72
struct quoted {
	char text[QUOTE_CLIP];
};
struct quoted quote_clip(struct span s);

#endif

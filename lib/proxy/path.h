/*
 * A request's path as rules compare it: percent-decoded to plain bytes, so that /%61dmin and
 * /admin are one. That is only safe for paths that every server reads alike; the others are
 * told apart here, and a rule that would have to guess refuses them:
 *
 *	/v1/../admin  /v1/%2e%2e/admin     dot segments: resolved by some, taken as they are by others
 *	/v1//admin                         empty segments: merged by some
 *	/v1%2Fadmin  /v1%5Cadmin  /v1\x    slashes that are none, and backslashes that are some
 *	/v1/%252e%252e  /%zz  /%u002f      escapes of escapes, and escapes that are none
 *	/admin;a=b                         parameters: cut off by some before they look at the segment
 *	/%00  /%0a  /%c0%ae                control bytes, overlong UTF-8
 *
 * Letters keep their case, and bytes are compared as bytes: a server whose paths know no case needs
 * a rule per spelling, or better a default of deny.
 */
#ifndef PROXY_PATH_H
#define PROXY_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * path: from the first slash up to a '?' or the end; what follows a '?' is not looked at.
 * NULL: *out holds the decoded path. Otherwise what makes it ambiguous ("an encoded slash").
 * Never writes more than path.n bytes.
 */
const char *path_decode(struct span path, struct buf *out);

/*
 * Whole segments: /v1 covers /v1 and /v1/x but not /v1x; /v1/ covers /v1/ and /v1/x. Both decoded.
 */
bool path_covers(struct span prefix, struct span path);

/* The canonical spelling of a decoded path: everything but RFC 3986's pchar and '/' escaped, in capitals. */
void path_encode(struct span decoded, struct buf *out);

#endif

/*
 * The one canonical form of a host name. Everything that compares, judges, logs, dials or
 * verifies a name sees this form and no other, so that two spellings of one target can
 * never get two verdicts.
 *
 *	Example.COM.              example.com               lower case, one trailing dot removed
 *	bücher.example            xn--bcher-kva.example     UTF-8 to A-labels (RFC 5891, UTS 46
 *non-transitional) 192.0.2.7                 192.0.2.7                 four plain decimal octets, no leading
 *zeros [2001:DB8:0::1]           2001:db8::1               brackets removed, RFC 5952
 *
 * Refused, because some resolver or library would take them for something else:
 *
 *	127.1  2130706433  0x7f.1  0177.0.0.1  1.2.3.4.5    a last label that is all digits, or 0x and hex
 *	fe80::1%eth0  [1.2.3.4]  [::1  2001:db8::1 (bare)   zones; brackets around or missing from the wrong
 *thing a..b  .a  a...  ""  a%2eb  u@h  h:80  a b           empty labels and bytes outside [a-z0-9_-]
 *
 * Labels have at most 63 bytes and a name at most 253 (RFC 1035 section 2.3.4). Underscores
 * are let through: they stand in names that are in use. A-labels that come in are taken as
 * they are, for that is what the resolver will be asked.
 */
#ifndef NET_HOSTNAME_H
#define NET_HOSTNAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

#define HOSTNAME_MAX 254 /* the longest canonical name and its 0 */

enum hostname_type { HOSTNAME_DNS, HOSTNAME_IPV4, HOSTNAME_IPV6 };

/*
 * `in` as it stands in a URI or a Host field: no port. Any bytes are fine. False:
 * ERR_BAD_REQUEST with a reason that repeats nothing of the name; `out` is then "".
 */
bool hostname_canonical(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type, struct error *err);

/* The same for an address or name that comes without a URI's brackets: "::1" is fine, "[::1]" too. */
bool hostname_canonical_bare(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type,
			     struct error *err);

/* 1..65535 in decimal digits, nothing else: no sign, no blank, no leading zero. */
bool hostname_port(struct span in, uint16_t *port);

#endif

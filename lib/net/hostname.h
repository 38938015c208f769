/*
 * The one canonical form of a host name. Everything that compares, judges, logs, dials or
 * verifies a name sees this form and no other, so that two spellings of one target can
 * never get two verdicts.
 *
 *	Example.COM.      example.com             lower case, one trailing dot removed
 *	bücher.example    xn--bcher-kva.example   UTF-8 to A-labels (RFC 5891, UTS 46 non-transitional)
 *	192.0.2.7         192.0.2.7               four plain decimal octets, no leading zeros
 *	[2001:DB8:0::1]   2001:db8::1             brackets removed, RFC 5952
 *
 * Refused as malformed (ERR_BAD_REQUEST):
 *
 *	a..b  .a  ""      empty labels
 *	a%2eb  u@h  a b   every byte outside [a-z0-9_-] behind the mapping: escapes, userinfo, ports
 *	fe80::1%eth0      zones
 *	[1.2.3.4]  ::1    brackets around the wrong thing, or missing from an IPv6 address
 *
 * Refused as an address in disguise (ERR_ADDRESS_DENIED), for resolvers differ in what they make of it:
 *
 *	127.1  2130706433  0177.0.0.1   a last label of digits, or of 0x and hex digits, that is no plain IPv4
 *	[::ffff:127.0.0.1]              an IPv4 address inside an IPv6 one: the kernel dials the former
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
 * `in` as it stands in a URI or a Host field, without a port; any bytes may be in it.
 * False: why, in words that repeat nothing of the name; `out` is then "".
 */
bool hostname_canonical(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type, struct error *err);

/* The same for what stands outside a URI, so that an output can be an input: "::1" as well as "[::1]". */
bool hostname_canonical_bare(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type,
			     struct error *err);

/* 1..65535 in decimal digits, nothing else: no sign, no blank, no leading zero. */
bool hostname_port(struct span in, uint16_t *port);

#endif

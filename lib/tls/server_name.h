/*
 * Who a server has to prove to be, and whether a certificate's names say so (RFC 9525).
 *
 *  - Only subjectAltName counts; the common name is never looked at (RFC 9525 section 2).
 *  - An IP address is matched by an iPAddress of the same bytes alone.
 *  - A DNS name is matched by a dNSName, without regard to case. "*" stands for exactly
 *    one label, is the whole leftmost label, and at least two labels follow it.
 */
#ifndef TLS_SERVER_NAME_H
#define TLS_SERVER_NAME_H

#include <stdint.h>

#include "base/span.h"

struct server_name {
	char text[256]; /* canonical, as it goes into SNI and messages */
	uint8_t ip[16];
	size_t ip_len; /* 0: a DNS name; 4 or 16: an address */
};

/* host: a DNS name or a bare IP literal ("::1"). False when it is neither. */
bool server_name_init(struct server_name *name, const char *host);
/* A well-formed dNSName of a certificate: labels of [A-Za-z0-9_-], and "*" as the first one. */
bool server_name_is_pattern(struct span dns);
bool server_name_matches_dns(const struct server_name *name, struct span pattern);
bool server_name_matches_ip(const struct server_name *name, struct span address);

#endif

/*
 * IP addresses as values: text, blocks (CIDR) and what kind of place an address is.
 *
 * Source of the kinds: the IANA special-purpose address registries (RFC 6890, RFC 8190
 * and what was added since, as of 2026) and the multicast registries. What is in none
 * of them, and for IPv6 inside 2000::/3, is public.
 */
#ifndef NET_IP_H
#define NET_IP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/span.h"

#define IP_TEXT_MAX 46 /* the longest text and its 0 */

struct ip_address {
	uint8_t version;   /* 4 or 6 */
	uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is 0 */
};

/* Plain text only: four decimal octets without leading zeros, or IPv6 without brackets and zone. */
bool ip_parse(struct span text, struct ip_address *a);
/* IPv6 as RFC 5952 wants it, with dotted decimal only for ::ffff:0:0/96. */
void ip_format(const struct ip_address *a, char out[IP_TEXT_MAX]);
bool ip_equal(const struct ip_address *a, const struct ip_address *b);

/* False for other families. A port goes beside it, in host order; port may be NULL. */
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip_address *a, uint16_t *port);
socklen_t ip_to_sockaddr(const struct ip_address *a, uint16_t port, struct sockaddr_storage *out);

struct ip_cidr {
	struct ip_address base;
	unsigned bits;
};

/* "10.0.0.0/8", "fc00::/7"; an address alone is a block of one. Bits behind the prefix must be 0. */
bool ip_cidr_parse(struct span text, struct ip_cidr *c, struct error *err);
/* An IPv4 block never holds an IPv6 address, mapped ones included. */
bool ip_cidr_has(const struct ip_cidr *c, const struct ip_address *a);

/* One row a class: its name in error texts and metrics. */
#define IP_CLASSES(X)                                                                                        \
	X(PUBLIC, "public")                                                                                  \
	X(UNSPECIFIED, "unspecified")	   /* 0.0.0.0/8 (the kernel dials itself), :: */                     \
	X(LOOPBACK, "loopback")		   /* 127.0.0.0/8, ::1 */                                            \
	X(PRIVATE, "private")		   /* RFC 1918 */                                                    \
	X(LINK_LOCAL, "link-local")	   /* 169.254.0.0/16, fe80::/10 */                                   \
	X(METADATA, "instance-metadata")   /* 169.254.169.254, fd00:ec2::254: credentials */                 \
	X(UNIQUE_LOCAL, "unique-local")	   /* fc00::/7 */                                                    \
	X(SITE_LOCAL, "site-local")	   /* fec0::/10, deprecated */                                       \
	X(SHARED, "shared")		   /* 100.64.0.0/10: carrier-grade NAT, cloud internals */           \
	X(MULTICAST, "multicast")	   /* 224.0.0.0/4, ff00::/8 */                                       \
	X(BROADCAST, "broadcast")	   /* 255.255.255.255 */                                             \
	X(DOCUMENTATION, "documentation")  /* 192.0.2/24, 198.51.100/24, 203.0.113/24, 2001:db8::, 3fff:: */ \
	X(BENCHMARKING, "benchmarking")	   /* 198.18.0.0/15, 2001:2::/48 */                                  \
	X(DISCARD, "discard-only")	   /* 100::/64, 100:0:0:1::/64 */                                    \
	X(ASSIGNED, "protocol-assignment") /* 192.0.0.0/24, 192.88.99.0/24, 2001::/23, 5f00::/16 */          \
	X(RESERVED, "reserved")		   /* 240.0.0.0/4, IPv6 outside 2000::/3 */                          \
	X(MAPPED, "IPv4-mapped")	   /* ::ffff:0:0/96, ::ffff:0:0:0/96: the kernel dials IPv4 */       \
	X(NAT64, "NAT64")		   /* 64:ff9b::/96, 64:ff9b:1::/48 */                                \
	X(6TO4, "6to4")			   /* 2002::/16 */                                                   \
	X(TEREDO, "Teredo")		   /* 2001::/32 */

enum ip_class {
#define X(id, name) IP_##id,
	IP_CLASSES(X)
#undef X
		IP_CLASS_COUNT
};

enum ip_class ip_classify(const struct ip_address *a);
const char *ip_class_name(enum ip_class c);
/*
 * The IPv4 address that a translator would reach through this IPv6 one (mapped, NAT64, 6to4,
 * Teredo: the client's). False where there is none that can be told: then the class alone counts.
 */
bool ip_embedded(const struct ip_address *a, struct ip_address *v4);

#endif

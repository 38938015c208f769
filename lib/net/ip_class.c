/* The registries as tables. The first row that fits wins: the narrow ones stand before what holds them. */
#include "base/check.h"
#include "net/ip.h"

struct range {
	uint8_t prefix[16];
	uint8_t bits;
	enum ip_class class;
};

/* IANA IPv4 Special-Purpose Address Registry; RFC 5771 for multicast. */
static const struct range v4[] = {
	{{0}, 8, IP_UNSPECIFIED},
	{{10}, 8, IP_PRIVATE},
	{{100, 64}, 10, IP_SHARED},
	{{127}, 8, IP_LOOPBACK},
	{{169, 254, 169, 254}, 32, IP_METADATA},
	{{169, 254}, 16, IP_LINK_LOCAL},
	{{172, 16}, 12, IP_PRIVATE},
	{{192, 0, 0}, 24, IP_ASSIGNED},
	{{192, 0, 2}, 24, IP_DOCUMENTATION},
	{{192, 31, 196}, 24, IP_ASSIGNED}, /* AS112 */
	{{192, 52, 193}, 24, IP_ASSIGNED}, /* AMT */
	{{192, 88, 99}, 24, IP_ASSIGNED},  /* 6to4 relays, deprecated */
	{{192, 168}, 16, IP_PRIVATE},
	{{192, 175, 48}, 24, IP_ASSIGNED}, /* AS112 */
	{{198, 18}, 15, IP_BENCHMARKING},
	{{198, 51, 100}, 24, IP_DOCUMENTATION},
	{{203, 0, 113}, 24, IP_DOCUMENTATION},
	{{224}, 4, IP_MULTICAST},
	{{255, 255, 255, 255}, 32, IP_BROADCAST},
	{{240}, 4, IP_RESERVED},
};

/* IANA IPv6 Special-Purpose Address Registry; RFC 4291, 3879 (site-local), AWS for fd00:ec2::254. */
static const struct range v6[] = {
	{{[15] = 1}, 128, IP_LOOPBACK},
	{{0}, 128, IP_UNSPECIFIED},
	{{[10] = 0xff, 0xff}, 96, IP_MAPPED},
	{{[8] = 0xff, 0xff}, 96, IP_MAPPED}, /* ::ffff:0:a.b.c.d: SIIT (RFC 2765) */
	{{0, 0x64, 0xff, 0x9b}, 96, IP_NAT64},
	{{0, 0x64, 0xff, 0x9b, 0, 1}, 48, IP_NAT64}, /* local use, RFC 8215 */
	{{1}, 64, IP_DISCARD},
	{{1, [7] = 1}, 64, IP_DISCARD}, /* RFC 9780 */
	{{0x20, 0x01}, 32, IP_TEREDO},
	{{0x20, 0x01, 0, 2}, 48, IP_BENCHMARKING},
	{{0x20, 0x01}, 23, IP_ASSIGNED},
	{{0x20, 0x01, 0x0d, 0xb8}, 32, IP_DOCUMENTATION},
	{{0x20, 0x02}, 16, IP_6TO4},
	{{0x26, 0x20, 0, 0x4f, 0x80}, 48, IP_ASSIGNED}, /* AS112 */
	{{0x3f, 0xff}, 20, IP_DOCUMENTATION},		/* RFC 9637 */
	{{0x20}, 3, IP_PUBLIC},
	{{0x5f}, 16, IP_ASSIGNED}, /* segment routing identifiers, RFC 9602 */
	{{0xfd, 0, 0x0e, 0xc2, [14] = 0x02, 0x54}, 128, IP_METADATA},
	{{0xfc}, 7, IP_UNIQUE_LOCAL},
	{{0xfe, 0x80}, 10, IP_LINK_LOCAL},
	{{0xfe, 0xc0}, 10, IP_SITE_LOCAL},
	{{0xff}, 8, IP_MULTICAST},
};

static enum ip_class find(const struct range *table, size_t count, const struct ip_address *a,
			  enum ip_class otherwise)
{
	for (size_t i = 0; i < count; i++) {
		struct ip_cidr c = {.base.version = a->version, .bits = table[i].bits};
		memcpy(c.base.bytes, table[i].prefix, sizeof c.base.bytes);
		if (ip_cidr_has(&c, a))
			return table[i].class;
	}
	return otherwise;
}

enum ip_class ip_classify(const struct ip_address *a)
{
	return a->version == 4 ? find(v4, countof(v4), a, IP_PUBLIC) : find(v6, countof(v6), a, IP_RESERVED);
}

const char *ip_class_name(enum ip_class c)
{
	static const char *const names[] = {
#define X(id, name) name,
		IP_CLASSES(X)
#undef X
	};
	CHECK(c < IP_CLASS_COUNT);
	return names[c];
}

bool ip_embedded(const struct ip_address *a, struct ip_address *v4_out)
{
	const uint8_t *b = a->bytes;
	uint8_t flip = 0;

	if (a->version != 6)
		return false;
	switch (ip_classify(a)) {
	case IP_MAPPED:
		b += 12;
		break;
	case IP_NAT64:
		if (b[5] == 1) /* 64:ff9b:1::/48: the operator chose where the address stands */
			return false;
		b += 12;
		break;
	case IP_6TO4:
		b += 2;
		break;
	case IP_TEREDO:
		b += 12;
		flip = 0xff; /* RFC 4380 section 4: inverted */
		break;
	default:
		return false;
	}
	*v4_out = (struct ip_address){.version = 4};
	for (unsigned i = 0; i < 4; i++)
		v4_out->bytes[i] = b[i] ^ flip;
	return true;
}

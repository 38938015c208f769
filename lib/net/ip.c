#include "net/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/be.h"
#include "base/check.h"

/* ---- text ---- */

bool ip_parse(struct span text, struct ip_address *a)
{
	char copy[IP_TEXT_MAX];

	memset(a, 0, sizeof *a);
	if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, 0, text.n))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	/* inet_pton is the strict one: no short, octal or hex forms, no zones, no blanks. */
	a->version = memchr(copy, ':', text.n) ? 6 : 4;
	return inet_pton(a->version == 6 ? AF_INET6 : AF_INET, copy, a->bytes) == 1;
}

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* The longest run of two or more zero groups, the first of equals (RFC 5952 section 4.2). */
static unsigned zero_run(const unsigned group[8], unsigned *length)
{
	unsigned best = 8;

	*length = 1;
	for (unsigned i = 0; i < 8; i++) {
		unsigned n = 0;
		while (i + n < 8 && group[i + n] == 0)
			n++;
		if (n > *length)
			best = i, *length = n;
		i += n;
	}
	return best;
}

void ip_format(const struct ip_address *a, char out[IP_TEXT_MAX])
{
	const uint8_t *b = a->bytes;
	unsigned group[8], run, length;
	size_t at = 0;

	if (a->version == 4) {
		snprintf(out, IP_TEXT_MAX, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
		return;
	}
	if (memcmp(b, mapped_prefix, sizeof mapped_prefix) == 0) {
		snprintf(out, IP_TEXT_MAX, "::ffff:%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
		return;
	}
	for (unsigned i = 0; i < 8; i++)
		group[i] = be_u16(b + 2 * i);
	run = zero_run(group, &length);
	out[0] = 0;
	for (unsigned i = 0; i < 8; i++) {
		if (i == run) {
			at += (size_t)snprintf(out + at, IP_TEXT_MAX - at, "::");
			i += length - 1;
			continue;
		}
		const char *colon = i == 0 || i == run + length ? "" : ":";
		at += (size_t)snprintf(out + at, IP_TEXT_MAX - at, "%s%x", colon, group[i]);
	}
}

bool ip_equal(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* ---- socket addresses ---- */

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip_address *a, uint16_t *port)
{
	uint16_t net_port;

	memset(a, 0, sizeof *a);
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;
		a->version = 4;
		memcpy(a->bytes, &in->sin_addr, 4);
		net_port = in->sin_port;
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;
		a->version = 6;
		memcpy(a->bytes, &in6->sin6_addr, 16);
		net_port = in6->sin6_port;
	} else {
		return false;
	}
	if (port)
		*port = ntohs(net_port);
	return true;
}

socklen_t ip_to_sockaddr(const struct ip_address *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (a->version == 4) {
		struct sockaddr_in *in = (void *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (void *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof *in6;
}

/* ---- blocks ---- */

static unsigned width(const struct ip_address *a)
{
	return a->version == 4 ? 32 : 128;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8)) == 0;
}

/* 0..max in one to three digits. */
static bool prefix_length(struct span text, unsigned max, unsigned *bits)
{
	*bits = 0;
	if (text.n == 0 || text.n > 3 || (text.n > 1 && text.p[0] == '0'))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*bits = *bits * 10 + (unsigned)(text.p[i] - '0');
	}
	return *bits <= max;
}

bool ip_cidr_parse(struct span text, struct ip_cidr *c, struct error *err)
{
	static const uint8_t zero[16];
	struct span rest = text, address;

	if (!span_cut(&rest, '/', &address) || !ip_parse(address, &c->base))
		return error_set(err, ERR_CONFIG, "not an address block: want ADDRESS/BITS or an address");
	c->bits = width(&c->base);
	if (rest.p && !prefix_length(rest, width(&c->base), &c->bits))
		return error_set(err, ERR_CONFIG, "the prefix length of an address block must be 0 to %u",
				 width(&c->base));
	for (unsigned bit = c->bits; bit < width(&c->base); bit++)
		if (c->base.bytes[bit / 8] & (0x80 >> bit % 8))
			return error_set(err, ERR_CONFIG, "an address block has bits set behind its /%u",
					 c->bits);
	CHECK(c->base.version == 6 || memcmp(c->base.bytes + 4, zero, 12) == 0);
	return true;
}

bool ip_cidr_has(const struct ip_cidr *c, const struct ip_address *a)
{
	return c->base.version == a->version && same_prefix(c->base.bytes, a->bytes, c->bits);
}

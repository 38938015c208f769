#include "net/hostname.h"

#include <idn2.h>
#include <stdlib.h>

#include "net/ip.h"

/* A character of a U-label takes at most four bytes, and yields at least one of the A-label. */
#define UNICODE_MAX (4 * (HOSTNAME_MAX - 1))

#define LABEL_MAX 63

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}
static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}
static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/*
 * Would some resolver read the name as a number? That is decided by the last label, as in the
 * WHATWG URL standard ("ends in a number"): digits alone, or 0x and hex digits, or 0x alone.
 */
static bool ends_in_number(struct span name)
{
	const char *dot = memrchr(name.p, '.', name.n);
	struct span last = dot ? span_from(name, (size_t)(dot + 1 - name.p)) : name;
	bool digits = true, hex = last.n >= 2 && last.p[0] == '0' && last.p[1] == 'x';

	for (size_t i = 0; i < last.n; i++) {
		digits = digits && is_digit(last.p[i]);
		hex = hex && (i < 2 || is_hex(last.p[i]));
	}
	return digits || hex;
}

/* Lower case, checked byte by byte and label by label. `name` is ASCII and may end in one dot. */
static bool copy_name(struct span name, char out[HOSTNAME_MAX], struct error *err)
{
	size_t label = 0, i;

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n == 0)
		return error_set(err, ERR_BAD_REQUEST, "the host name is empty");
	if (name.n >= HOSTNAME_MAX)
		return error_set(err, ERR_BAD_REQUEST, "the host name is longer than %d bytes",
				 HOSTNAME_MAX - 1);
	for (i = 0; i < name.n; i++) {
		char c = is_upper(name.p[i]) ? (char)(name.p[i] | 0x20) : name.p[i];

		if (c == '.' && label == 0)
			return error_set(err, ERR_BAD_REQUEST, "the host name has an empty label");
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return error_set(err, ERR_BAD_REQUEST,
					 "the host name has a label of more than %d bytes", LABEL_MAX);
		if (c == '%')
			return error_set(err, ERR_BAD_REQUEST, "percent-encoding in a host name is refused");
		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_' && c != '.')
			return error_set(err, ERR_BAD_REQUEST,
					 "the host name has a byte that is not allowed");
		out[i] = c;
	}
	out[i] = 0;
	if (label == 0)
		return error_set(err, ERR_BAD_REQUEST, "the host name ends in more than one dot");
	return true;
}

/*
 * libidn2 rather than tables of our own: the mapping is 9000 ranges of Unicode and changes with
 * it. Only names with bytes >= 0x80 get there. Its STD3 check is left off on purpose: it drops
 * forbidden characters ("a_b" becomes "ab") where copy_name refuses them.
 */
static bool copy_unicode(struct span name, char out[HOSTNAME_MAX], struct error *err)
{
	char utf8[UNICODE_MAX + 1], *ascii = NULL;
	bool ok;

	if (name.n > UNICODE_MAX)
		return error_set(err, ERR_BAD_REQUEST, "the host name is longer than %d bytes", UNICODE_MAX);
	memcpy(utf8, name.p, name.n);
	utf8[name.n] = 0;
	if (idn2_to_ascii_8z(utf8, &ascii, IDN2_NONTRANSITIONAL) != IDN2_OK)
		return error_set(err, ERR_BAD_REQUEST,
				 "the host name is no valid internationalised name (UTF-8, RFC 5891)");
	ok = copy_name(span_of(ascii), out, err);
	idn2_free(ascii);
	return ok;
}

static bool canonical_name(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type,
			   struct error *err)
{
	struct ip_address ip;
	bool ascii = is_ascii(in);

	if (in.n && memchr(in.p, 0, in.n))
		return error_set(err, ERR_BAD_REQUEST, "the host name has a byte that is not allowed");
	if (!(ascii ? copy_name(in, out, err) : copy_unicode(in, out, err)))
		return false;
	*type = HOSTNAME_DNS;
	if (!ends_in_number(span_of(out)))
		return true;
	*type = HOSTNAME_IPV4;
	if (!ascii || !ip_parse(span_of(out), &ip))
		return error_set(
			err, ERR_ADDRESS_DENIED,
			"a host that ends in a number must be an IPv4 address in four decimal octets");
	return true;
}

static bool canonical_ipv6(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type,
			   struct error *err)
{
	struct ip_address ip;
	char text[IP_TEXT_MAX];

	*type = HOSTNAME_IPV6;
	if (in.n && memchr(in.p, '%', in.n))
		return error_set(err, ERR_BAD_REQUEST, "an IPv6 zone is refused: it means nothing elsewhere");
	if (!ip_parse(in, &ip) || ip.version != 6)
		return error_set(err, ERR_BAD_REQUEST, "not an IPv6 address");
	if (ip_classify(&ip) == IP_MAPPED)
		return error_set(err, ERR_ADDRESS_DENIED,
				 "an IPv4 address inside an IPv6 one: write it as four decimal octets");
	ip_format(&ip, text);
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool canonical(struct span in, bool bare, char out[HOSTNAME_MAX], enum hostname_type *type,
		      struct error *err)
{
	if (in.n && in.p[0] == '[') {
		if (in.n < 2 || in.p[in.n - 1] != ']')
			return error_set(err, ERR_BAD_REQUEST,
					 "the bracket of an IPv6 address is not closed");
		return canonical_ipv6((struct span){in.p + 1, in.n - 2}, out, type, err);
	}
	if (in.n && memchr(in.p, ':', in.n)) {
		if (!bare)
			return error_set(err, ERR_BAD_REQUEST,
					 "a colon in the host: an IPv6 address needs brackets");
		return canonical_ipv6(in, out, type, err);
	}
	return canonical_name(in, out, type, err);
}

bool hostname_canonical(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type, struct error *err)
{
	bool ok = canonical(in, false, out, type, err);

	if (!ok)
		out[0] = 0;
	return ok;
}

bool hostname_canonical_bare(struct span in, char out[HOSTNAME_MAX], enum hostname_type *type,
			     struct error *err)
{
	bool ok = canonical(in, true, out, type, err);

	if (!ok)
		out[0] = 0;
	return ok;
}

bool hostname_port(struct span in, uint16_t *port)
{
	unsigned value = 0;

	if (in.n == 0 || in.n > 5 || in.p[0] == '0')
		return false;
	for (size_t i = 0; i < in.n; i++) {
		if (!is_digit(in.p[i]))
			return false;
		value = value * 10 + (unsigned)(in.p[i] - '0');
	}
	if (value > UINT16_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

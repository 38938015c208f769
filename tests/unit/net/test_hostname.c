#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "net/hostname.h"

#define A63  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A61  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define N253 A63 "." A63 "." A63 "." A61

static void accepted(void **state)
{
	static const struct {
		const char *in, *out;
		enum hostname_type type;
	} rows[] = {
		{"example.com", "example.com", HOSTNAME_DNS},
		{"EXAMPLE.Com.", "example.com", HOSTNAME_DNS},
		{"localhost", "localhost", HOSTNAME_DNS},
		{"_dmarc.a-b.example", "_dmarc.a-b.example", HOSTNAME_DNS},
		{"1.2.3.4.example", "1.2.3.4.example", HOSTNAME_DNS},
		{"0x7f.example", "0x7f.example", HOSTNAME_DNS},
		{"a.0xyz", "a.0xyz", HOSTNAME_DNS},
		{"a.1b", "a.1b", HOSTNAME_DNS},
		{"-a.example", "-a.example", HOSTNAME_DNS},
		{"XN--BCHER-KVA.de", "xn--bcher-kva.de", HOSTNAME_DNS},
		{"xn--zz--.de", "xn--zz--.de", HOSTNAME_DNS}, /* no A-label at all, yet a name */
		{A63 ".x", A63 ".x", HOSTNAME_DNS},
		{N253, N253, HOSTNAME_DNS},
		{N253 ".", N253, HOSTNAME_DNS},
		/* UTF-8: upper case, decomposed, full-width, ideographic dot, sharp s, soft hyphen */
		{"b\xc3\xbc"
		 "cher.de",
		 "xn--bcher-kva.de", HOSTNAME_DNS},
		{"B\xc3\x9c"
		 "CHER.DE.",
		 "xn--bcher-kva.de", HOSTNAME_DNS},
		{"bu\xcc\x88"
		 "cher.de",
		 "xn--bcher-kva.de", HOSTNAME_DNS},
		{"\xef\xbd\x85xample\xe3\x80\x82"
		 "com",
		 "example.com", HOSTNAME_DNS},
		{"example.com\xe3\x80\x82", "example.com", HOSTNAME_DNS},
		{"fa\xc3\x9f.de", "xn--fa-hia.de", HOSTNAME_DNS},
		{"exam\xc2\xadple.com", "example.com", HOSTNAME_DNS},
		{"_b\xc3\xbc"
		 "cher.de",
		 "xn--_bcher-4ya.de", HOSTNAME_DNS}, /* the underscore is not lost */
		/* addresses */
		{"192.0.2.7", "192.0.2.7", HOSTNAME_IPV4},
		{"192.0.2.7.", "192.0.2.7", HOSTNAME_IPV4},
		{"0.0.0.0", "0.0.0.0", HOSTNAME_IPV4},
		{"255.255.255.255", "255.255.255.255", HOSTNAME_IPV4},
		{"[::1]", "::1", HOSTNAME_IPV6},
		{"[2001:DB8:0:0:0:0:0:1]", "2001:db8::1", HOSTNAME_IPV6},
		{"[2001:db8::192.0.2.1]", "2001:db8::c000:201", HOSTNAME_IPV6},
		{"[::]", "::", HOSTNAME_IPV6},
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		char out[HOSTNAME_MAX], again[HOSTNAME_MAX];
		enum hostname_type type, type_again;
		struct error err;

		if (!hostname_canonical(span_of(rows[i].in), out, &type, &err))
			fail_msg("%s: %s", rows[i].in, err.text);
		assert_string_equal(out, rows[i].out);
		assert_int_equal(type, rows[i].type);
		assert_true(hostname_canonical_bare(span_of(out), again, &type_again, &err));
		assert_string_equal(again, out);
		assert_int_equal(type_again, type);
	}
}

static void refused(void **state)
{
	static const struct {
		struct span in;
		enum error_kind kind;
	} rows[] = {
		{SPAN(""), ERR_BAD_REQUEST},
		{SPAN("."), ERR_BAD_REQUEST},
		{SPAN(".."), ERR_BAD_REQUEST},
		{SPAN(".a"), ERR_BAD_REQUEST},
		{SPAN("a..b"), ERR_BAD_REQUEST},
		{SPAN("a.."), ERR_BAD_REQUEST},
		{SPAN(A63 "a.x"), ERR_BAD_REQUEST},
		{SPAN(N253 "a"), ERR_BAD_REQUEST},
		{SPAN("a%2eb"), ERR_BAD_REQUEST},
		{SPAN("example.com%00.evil"), ERR_BAD_REQUEST},
		{SPAN("user@example.com"), ERR_BAD_REQUEST},
		{SPAN("example.com:443"), ERR_BAD_REQUEST},
		{SPAN("exa mple.com"), ERR_BAD_REQUEST},
		{SPAN("example.com/"), ERR_BAD_REQUEST},
		{SPAN("example.com\\x"), ERR_BAD_REQUEST},
		{SPAN("example.com?"), ERR_BAD_REQUEST},
		{SPAN("example.com#"), ERR_BAD_REQUEST},
		{SPAN("*.example.com"), ERR_BAD_REQUEST},
		{SPAN("a\0b"), ERR_BAD_REQUEST},
		{SPAN("a\0\xc3\xbc"), ERR_BAD_REQUEST},
		{SPAN("a\r\nb"), ERR_BAD_REQUEST},
		{SPAN("a\tb"), ERR_BAD_REQUEST},
		/* not UTF-8; a joiner out of place; a mapping that yields a slash, a dot too many */
		{SPAN("\xff.com"), ERR_BAD_REQUEST},
		{SPAN("\xc0\xae.com"), ERR_BAD_REQUEST},
		{SPAN("a\xe2\x80\x8d.com"), ERR_BAD_REQUEST},
		{SPAN("a\xef\xbc\x8f.com"), ERR_BAD_REQUEST},
		{SPAN("a\xe3\x80\x82\xe3\x80\x82"
		      "b"),
		 ERR_BAD_REQUEST},
		{SPAN("a\xef\xbc\xa0"
		      "b.com"),
		 ERR_BAD_REQUEST},
		/* IPv4 in other spellings */
		{SPAN("2130706433"), ERR_ADDRESS_DENIED},
		{SPAN("127.1"), ERR_ADDRESS_DENIED},
		{SPAN("127.0.1"), ERR_ADDRESS_DENIED},
		{SPAN("0177.0.0.1"), ERR_ADDRESS_DENIED},
		{SPAN("127.0.0.01"), ERR_ADDRESS_DENIED},
		{SPAN("0x7f000001"), ERR_ADDRESS_DENIED},
		{SPAN("0X7F.1"), ERR_ADDRESS_DENIED},
		{SPAN("127.0.0.0x1"), ERR_ADDRESS_DENIED},
		{SPAN("127.0.0.0x"), ERR_ADDRESS_DENIED},
		{SPAN("1.2.3.4.5"), ERR_ADDRESS_DENIED},
		{SPAN("256.0.0.1"), ERR_ADDRESS_DENIED},
		{SPAN("example.1"), ERR_ADDRESS_DENIED},
		{SPAN("\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1"), ERR_ADDRESS_DENIED},
		{SPAN("[::ffff:127.0.0.1]"), ERR_ADDRESS_DENIED},
		{SPAN("[::ffff:7f00:1]"), ERR_ADDRESS_DENIED},
		/* IPv6 */
		{SPAN("::1"), ERR_BAD_REQUEST},
		{SPAN("[::1"), ERR_BAD_REQUEST},
		{SPAN("::1]"), ERR_BAD_REQUEST},
		{SPAN("["), ERR_BAD_REQUEST},
		{SPAN("[]"), ERR_BAD_REQUEST},
		{SPAN("[[::1]]"), ERR_BAD_REQUEST},
		{SPAN("[::1]."), ERR_BAD_REQUEST},
		{SPAN("[127.0.0.1]"), ERR_BAD_REQUEST},
		{SPAN("[example.com]"), ERR_BAD_REQUEST},
		{SPAN("[fe80::1%eth0]"), ERR_BAD_REQUEST},
		{SPAN("[fe80::1%25eth0]"), ERR_BAD_REQUEST},
		{SPAN("[::1::]"), ERR_BAD_REQUEST},
		{SPAN("[1:2:3:4:5:6:7:8:9]"), ERR_BAD_REQUEST},
		{SPAN("[v1.x]"), ERR_BAD_REQUEST},
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		char out[HOSTNAME_MAX] = "left over";
		enum hostname_type type;
		struct error err = {0};

		if (hostname_canonical(rows[i].in, out, &type, &err))
			fail_msg("\"%.*s\" was taken as %s", SPAN_ARG(rows[i].in), out);
		if (err.kind != rows[i].kind)
			fail_msg("\"%.*s\": %s", SPAN_ARG(rows[i].in), error_kind_name(err.kind));
		assert_string_equal(out, "");
	}
}

/* What stands outside URIs may leave the brackets away, and is else no laxer. */
static void bare(void **state)
{
	char out[HOSTNAME_MAX];
	enum hostname_type type;
	(void)state;

	assert_true(hostname_canonical_bare(SPAN("2001:DB8::1"), out, &type, NULL));
	assert_string_equal(out, "2001:db8::1");
	assert_true(hostname_canonical_bare(SPAN("[::1]"), out, &type, NULL));
	assert_string_equal(out, "::1");
	assert_false(hostname_canonical_bare(SPAN("fe80::1%1"), out, &type, NULL));
	assert_false(hostname_canonical_bare(SPAN("example.com:443"), out, &type, NULL));
	assert_false(hostname_canonical_bare(SPAN("::ffff:10.0.0.1"), out, &type, NULL));
}

/* ---- no two spellings of one target ---- */

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

static size_t random_name(char *out)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n = 0;

	for (unsigned labels = 1 + below(4); labels; labels--) {
		for (unsigned i = 1 + below(12); i; i--)
			out[n++] = set[below(sizeof set - 1)];
		if (labels > 1)
			out[n++] = '.';
	}
	out[n++] = (char)('g' + below(17)); /* g to w: with no hex digit and no x it is no number */
	out[n] = 0;
	return n;
}

/* Another way to write it: upper case, full-width forms, soft hyphens, other dots, a dot behind. */
static size_t respell(const char *name, char *out)
{
	static const char *const dots[] = {".", "\xe3\x80\x82", "\xef\xbc\x8e", "\xef\xbd\xa1"};
	bool unicode = below(2);
	size_t n = 0;

	for (const char *p = name; *p; p++) {
		bool letter = *p >= 'a' && *p <= 'z', up = letter && below(2);
		unsigned code = (unsigned char)(up ? *p - 32 : *p);

		if (*p == '.') {
			n += (size_t)sprintf(out + n, "%s", dots[unicode ? below(countof(dots)) : 0]);
		} else if (unicode && below(3) == 0) { /* U+FF01.. mirrors ASCII from '!' on */
			code += 0xff01 - '!';
			n += (size_t)sprintf(out + n, "%c%c%c", 0xe0 | code >> 12, 0x80 | (code >> 6 & 63),
					     0x80 | (code & 63));
		} else {
			out[n++] = (char)code;
		}
		if (unicode && below(16) == 0)
			n += (size_t)sprintf(out + n, "\xc2\xad");
	}
	if (below(2))
		n += (size_t)sprintf(out + n, "%s", dots[unicode ? below(countof(dots)) : 0]);
	out[n] = 0;
	return n;
}

static void spellings_of_names(void **state)
{
	unsigned taken = 0;
	(void)state;

	srand(7);
	for (unsigned round = 0; round < 20000; round++) {
		char name[128], other[1024], a[HOSTNAME_MAX], b[HOSTNAME_MAX];
		enum hostname_type type;
		struct error err;
		size_t n = random_name(name), m = respell(name, other);

		if (!hostname_canonical((struct span){name, n}, a, &type, &err))
			fail_msg("%s: %s", name, err.text);
		assert_string_equal(a, name);
		/*
		 * IDNA may refuse a spelling (hyphens in places, for one), but never read another name in it.
		 */
		if (hostname_canonical((struct span){other, m}, b, &type, &err)) {
			assert_string_equal(b, name);
			taken++;
		}
	}
	assert_in_range(taken, 12000, 20000);
}

static void spellings_of_ipv6(void **state)
{
	(void)state;

	srand(8);
	for (unsigned round = 0; round < 20000; round++) {
		char spelled[2][64], out[2][HOSTNAME_MAX];
		unsigned group[8], gap = below(8), length = below(9 - gap);
		enum hostname_type type;
		struct error err;

		for (unsigned i = 0; i < 8; i++)
			group[i] = i >= gap && i < gap + length ? 0 : below(3) ? below(65536) : 0;
		group[7] |= 1;
		length = gap + length == 8 && length ? length - 1 : length;
		sprintf(spelled[0], "[%x:%x:%x:%x:%x:%x:%x:%x]", group[0], group[1], group[2], group[3],
			group[4], group[5], group[6], group[7]);
		size_t n = (size_t)sprintf(spelled[1], "[");
		for (unsigned i = 0; i < 8; i++) {
			if (i == gap && length) {
				n += (size_t)sprintf(spelled[1] + n, "%s", i ? ":" : "::");
				i += length - 1;
			} else if (i == 6 && below(2)) {
				n += (size_t)sprintf(spelled[1] + n, "%u.%u.%u.%u", group[6] >> 8,
						     group[6] & 255, group[7] >> 8, group[7] & 255);
				break;
			} else {
				n += (size_t)sprintf(spelled[1] + n, below(2) ? "%04X" : "%X", group[i]);
				n += (size_t)sprintf(spelled[1] + n, i < 7 ? ":" : "");
			}
		}
		sprintf(spelled[1] + n, "]");
		for (unsigned i = 0; i < 2; i++)
			if (!hostname_canonical(span_of(spelled[i]), out[i], &type, &err))
				fail_msg("%s: %s", spelled[i], err.text);
		assert_string_equal(out[0], out[1]);
	}
}

static void ports(void **state)
{
	static const char *const bad[] = {"",	    "0",   "00",   "080",	"65536", "84616",
					  "100000", "80x", "x80",  "+80",	"-1",	 " 80",
					  "80 ",    "8 0", "0x50", "4294967376"};
	uint16_t port = 1;
	(void)state;

	assert_true(hostname_port(SPAN("1"), &port));
	assert_int_equal(port, 1);
	assert_true(hostname_port(SPAN("65535"), &port));
	assert_int_equal(port, 65535);
	for (size_t i = 0; i < countof(bad); i++)
		if (hostname_port(span_of(bad[i]), &port))
			fail_msg("\"%s\" was taken as %u", bad[i], port);
	assert_false(hostname_port(SPAN("80\0"), &port));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted),
		cmocka_unit_test(refused),
		cmocka_unit_test(bare),
		cmocka_unit_test(spellings_of_names),
		cmocka_unit_test(spellings_of_ipv6),
		cmocka_unit_test(ports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

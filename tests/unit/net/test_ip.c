#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "base/check.h"
#include "net/ip.h"

static struct ip_address ip(const char *text)
{
	struct ip_address a;

	if (!ip_parse(span_of(text), &a))
		fail_msg("%s was not taken", text);
	return a;
}

static void text(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0"},
		{"255.1.20.255", "255.1.20.255"},
		{"::", "::"},
		{"::1", "::1"},
		{"1::", "1::"},
		{"2001:DB8::A", "2001:db8::a"},
		{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},	  /* the first of equal runs */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},	  /* the longer run */
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* one group is no run */
		{"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
		{"1:2:3:4:5:6::", "1:2:3:4:5:6::"},
		{"::ffff:7f00:1", "::ffff:127.0.0.1"},
		{"::7f00:1", "::7f00:1"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	static const char *const bad[] = {
		"",	     "1",	 "1.2.3",    "1.2.3.4.5", "01.2.3.4",	   "0x1.2.3.4",
		"1.2.3.256", "1.2.3.4 ", " 1.2.3.4", "1.2.3.",	  "::1%lo",	   "[::1]",
		":",	     ":::",	 "1::2::3",  "12345::",	  "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"::1.2.3",   "g::"};
	char out[IP_TEXT_MAX];
	struct ip_address a;
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		a = ip(rows[i].in);
		ip_format(&a, out);
		assert_string_equal(out, rows[i].out);
		struct ip_address again = ip(out);
		assert_true(ip_equal(&a, &again));
	}
	for (size_t i = 0; i < countof(bad); i++)
		if (ip_parse(span_of(bad[i]), &a))
			fail_msg("\"%s\" was taken", bad[i]);
	assert_false(ip_parse(SPAN("::1\0"), &a));
}

/* The system's own printer agrees wherever the two are meant to. */
static void text_as_the_system(void **state)
{
	(void)state;

	srand(3);
	for (unsigned round = 0; round < 20000; round++) {
		struct ip_address a = {.version = 6};
		char ours[IP_TEXT_MAX], theirs[INET6_ADDRSTRLEN];

		for (unsigned i = 0; i < 16; i += 2)
			if (rand() % 3)
				a.bytes[i] = (uint8_t)rand(), a.bytes[i + 1] = (uint8_t)rand();
		a.bytes[0] |= 0x20; /* it prints ::a.b.c.d for what is not IPv4-compatible any more */
		ip_format(&a, ours);
		assert_non_null(inet_ntop(AF_INET6, a.bytes, theirs, sizeof theirs));
		assert_string_equal(ours, theirs);
	}
}

static void blocks(void **state)
{
	static const struct {
		const char *cidr, *address;
		bool has;
	} rows[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/8", "::ffff:10.0.0.1", false},
		{"0.0.0.0/0", "203.0.113.1", true},
		{"0.0.0.0/0", "::1", false},
		{"192.168.1.128/25", "192.168.1.127", false},
		{"192.168.1.128/25", "192.168.1.128", true},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"::/0", "fe80::1", true},
		{"fc00::/7", "fdff::1", true},
		{"fc00::/7", "fe00::1", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1/128", "2001:db8::2", false},
		{"::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true},
	};
	static const char *const bad[] = {
		"",	      "/8",	   "10.0.0.0/",	   "10.0.0.0/33", "10.0.0.0/08",
		"10.0.0.1/8", "10/8",	   "10.0.0.0/8/8", "10.0.0.0/-1", "::/129",
		"fc01::/7",   "[::1]/128", "10.0.0.0/ 8",  "any",	  "::1%1/128"};
	struct ip_cidr c;
	struct error err;
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct ip_address a = ip(rows[i].address);
		if (!ip_cidr_parse(span_of(rows[i].cidr), &c, &err))
			fail_msg("%s: %s", rows[i].cidr, err.text);
		if (ip_cidr_has(&c, &a) != rows[i].has)
			fail_msg("%s and %s", rows[i].cidr, rows[i].address);
	}
	for (size_t i = 0; i < countof(bad); i++) {
		if (ip_cidr_parse(span_of(bad[i]), &c, &err))
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
}

/* First and last address of each range, and their public neighbours. */
static void classes(void **state)
{
	static const struct {
		const char *address;
		enum ip_class class;
	} rows[] = {
		{"0.0.0.0", IP_UNSPECIFIED},
		{"0.255.255.255", IP_UNSPECIFIED},
		{"1.0.0.0", IP_PUBLIC},
		{"9.255.255.255", IP_PUBLIC},
		{"10.0.0.0", IP_PRIVATE},
		{"10.255.255.255", IP_PRIVATE},
		{"11.0.0.0", IP_PUBLIC},
		{"100.63.255.255", IP_PUBLIC},
		{"100.64.0.0", IP_SHARED},
		{"100.127.255.255", IP_SHARED},
		{"100.128.0.0", IP_PUBLIC},
		{"126.255.255.255", IP_PUBLIC},
		{"127.0.0.0", IP_LOOPBACK},
		{"127.255.255.255", IP_LOOPBACK},
		{"128.0.0.0", IP_PUBLIC},
		{"169.253.255.255", IP_PUBLIC},
		{"169.254.0.0", IP_LINK_LOCAL},
		{"169.254.169.253", IP_LINK_LOCAL},
		{"169.254.169.254", IP_METADATA},
		{"169.254.255.255", IP_LINK_LOCAL},
		{"169.255.0.0", IP_PUBLIC},
		{"172.15.255.255", IP_PUBLIC},
		{"172.16.0.0", IP_PRIVATE},
		{"172.31.255.255", IP_PRIVATE},
		{"172.32.0.0", IP_PUBLIC},
		{"192.0.0.0", IP_ASSIGNED},
		{"192.0.0.255", IP_ASSIGNED},
		{"192.0.1.0", IP_PUBLIC},
		{"192.0.2.0", IP_DOCUMENTATION},
		{"192.0.2.255", IP_DOCUMENTATION},
		{"192.0.3.0", IP_PUBLIC},
		{"192.31.196.1", IP_ASSIGNED},
		{"192.52.193.1", IP_ASSIGNED},
		{"192.88.99.1", IP_ASSIGNED},
		{"192.88.100.0", IP_PUBLIC},
		{"192.167.255.255", IP_PUBLIC},
		{"192.168.0.0", IP_PRIVATE},
		{"192.168.255.255", IP_PRIVATE},
		{"192.169.0.0", IP_PUBLIC},
		{"192.175.48.1", IP_ASSIGNED},
		{"198.17.255.255", IP_PUBLIC},
		{"198.18.0.0", IP_BENCHMARKING},
		{"198.19.255.255", IP_BENCHMARKING},
		{"198.20.0.0", IP_PUBLIC},
		{"198.51.100.1", IP_DOCUMENTATION},
		{"203.0.113.1", IP_DOCUMENTATION},
		{"203.0.114.0", IP_PUBLIC},
		{"223.255.255.255", IP_PUBLIC},
		{"224.0.0.0", IP_MULTICAST},
		{"239.255.255.255", IP_MULTICAST},
		{"240.0.0.0", IP_RESERVED},
		{"255.255.255.254", IP_RESERVED},
		{"255.255.255.255", IP_BROADCAST},
		{"::", IP_UNSPECIFIED},
		{"::1", IP_LOOPBACK},
		{"::2", IP_RESERVED},
		{"::127.0.0.1", IP_RESERVED},
		{"::ffff:127.0.0.1", IP_MAPPED},
		{"::ffff:8.8.8.8", IP_MAPPED},
		{"::ffff:0:127.0.0.1", IP_MAPPED},
		{"64:ff9b::8.8.8.8", IP_NAT64},
		{"64:ff9b::1:8.8.8.8", IP_RESERVED},
		{"64:ff9b:1::1", IP_NAT64},
		{"64:ff9b:1:ffff::1", IP_NAT64},
		{"64:ff9b:2::1", IP_RESERVED},
		{"100::1", IP_DISCARD},
		{"100:0:0:1::1", IP_DISCARD},
		{"100:0:0:2::1", IP_RESERVED},
		{"1fff::1", IP_RESERVED},
		{"2000::1", IP_PUBLIC},
		{"2001::1", IP_TEREDO},
		{"2001:0:ffff::1", IP_TEREDO},
		{"2001:1::1", IP_ASSIGNED},
		{"2001:2::1", IP_BENCHMARKING},
		{"2001:2:1::1", IP_ASSIGNED},
		{"2001:20::1", IP_ASSIGNED},
		{"2001:1ff::1", IP_ASSIGNED},
		{"2001:200::1", IP_PUBLIC},
		{"2001:db7:ffff::1", IP_PUBLIC},
		{"2001:db8::1", IP_DOCUMENTATION},
		{"2001:db9::1", IP_PUBLIC},
		{"2002::1", IP_6TO4},
		{"2002:7f00:1::", IP_6TO4},
		{"2003::1", IP_PUBLIC},
		{"2606:4700::1111", IP_PUBLIC},
		{"2620:4f:8000::1", IP_ASSIGNED},
		{"3ffe:ffff::1", IP_PUBLIC},
		{"3fff::1", IP_DOCUMENTATION},
		{"3fff:fff::1", IP_DOCUMENTATION},
		{"3fff:1000::1", IP_PUBLIC},
		{"4000::1", IP_RESERVED},
		{"5f00::1", IP_ASSIGNED},
		{"fbff::1", IP_RESERVED},
		{"fc00::1", IP_UNIQUE_LOCAL},
		{"fd00:ec2::253", IP_UNIQUE_LOCAL},
		{"fd00:ec2::254", IP_METADATA},
		{"fdff::1", IP_UNIQUE_LOCAL},
		{"fe00::1", IP_RESERVED},
		{"fe80::1", IP_LINK_LOCAL},
		{"febf::1", IP_LINK_LOCAL},
		{"fec0::1", IP_SITE_LOCAL},
		{"feff::1", IP_SITE_LOCAL},
		{"ff00::1", IP_MULTICAST},
		{"ff02::1", IP_MULTICAST},
	};
	bool seen[IP_CLASS_COUNT] = {0};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct ip_address a = ip(rows[i].address);
		if (ip_classify(&a) != rows[i].class)
			fail_msg("%s is taken for %s", rows[i].address, ip_class_name(ip_classify(&a)));
		seen[rows[i].class] = true;
	}
	for (unsigned i = 0; i < IP_CLASS_COUNT; i++)
		if (!seen[i])
			fail_msg("no row for %s", ip_class_name(i));
}

static void embedded(void **state)
{
	static const char *const rows[][2] = {
		{"::ffff:127.0.0.1", "127.0.0.1"}, {"64:ff9b::169.254.169.254", "169.254.169.254"},
		{"2002:a00:1::1", "10.0.0.1"},	   {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"},
		{"::ffff:0:10.0.0.1", "10.0.0.1"},
	};
	static const char *const none[] = {"64:ff9b:1::1", "::1", "2606:4700::1111", "10.0.0.1"};
	struct ip_address v4;
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct ip_address a = ip(rows[i][0]), want = ip(rows[i][1]);
		assert_true(ip_embedded(&a, &v4));
		assert_true(ip_equal(&v4, &want));
	}
	for (size_t i = 0; i < countof(none); i++) {
		struct ip_address a = ip(none[i]);
		assert_false(ip_embedded(&a, &v4));
	}
}

static void socket_addresses(void **state)
{
	static const char *const rows[] = {"192.0.2.7", "2001:db8::7"};
	struct sockaddr_storage s = {.ss_family = AF_UNIX};
	struct ip_address b;
	uint16_t port;
	(void)state;

	assert_false(ip_from_sockaddr((struct sockaddr *)&s, &b, &port));
	for (size_t i = 0; i < countof(rows); i++) {
		struct ip_address a = ip(rows[i]);
		assert_in_range(ip_to_sockaddr(&a, 4711, &s), 1, sizeof s);
		assert_true(ip_from_sockaddr((struct sockaddr *)&s, &b, &port));
		assert_true(ip_equal(&a, &b));
		assert_int_equal(port, 4711);
		assert_true(ip_from_sockaddr((struct sockaddr *)&s, &b, NULL));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text),	    cmocka_unit_test(text_as_the_system),
		cmocka_unit_test(blocks),   cmocka_unit_test(classes),
		cmocka_unit_test(embedded), cmocka_unit_test(socket_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/allow.h"

/* Both lists NULL-terminated. */
static void set_up(struct allow *a, const char *const *names, const char *const *blocks)
{
	struct text_list n = {0}, b = {0};
	struct error err;

	for (; names && *names; names++)
		text_list_add(&n, *names);
	for (; blocks && *blocks; blocks++)
		text_list_add(&b, *blocks);
	if (!allow_init(a, &n, &b, &err))
		fail_msg("%s", err.text);
	text_list_free(&n);
	text_list_free(&b);
}

static void listen_at(struct allow *a, const char *ip, uint16_t port)
{
	struct sockaddr_storage s;
	struct ip_address address;

	assert_true(ip_parse(span_of(ip), &address));
	ip_to_sockaddr(&address, port, &s);
	allow_add_listener(a, (struct sockaddr *)&s);
}

static bool dial(const struct allow *a, const char *ip, uint16_t port, struct error *err)
{
	struct sockaddr_storage s;
	struct ip_address address;

	assert_true(ip_parse(span_of(ip), &address));
	ip_to_sockaddr(&address, port, &s);
	*err = (struct error){0};
	return allow_address(a, (struct sockaddr *)&s, err);
}

/* ---- patterns ---- */

static void patterns(void **state)
{
	static const struct {
		const char *pattern, *host;
		uint16_t port;
		bool match;
	} rows[] = {
		{"api.example.com:443", "api.example.com", 443, true},
		{"API.example.COM.:443", "api.example.com", 443, true},
		{"api.example.com:443", "api.example.com", 444, false},
		{"api.example.com:443", "xapi.example.com", 443, false},
		{"api.example.com:443", "api.example.com.evil", 443, false},
		{"api.example.com:*", "api.example.com", 1, true},
		{"*.example.com:443", "a.example.com", 443, true},
		{"*.example.com:443", "a.b.example.com", 443, false},
		{"*.example.com:443", "example.com", 443, false},
		{"*.example.com:443", "aexample.com", 443, false},
		{"**.example.com:*", "a.example.com", 80, true},
		{"**.example.com:*", "a.b.c.example.com", 80, true},
		{"**.example.com:*", "example.com", 80, false},
		{"**.example.com:*", "badexample.com", 80, false},
		{"10.0.0.1:5432", "10.0.0.1", 5432, true},
		{"10.0.0.1:5432", "10.0.0.10", 5432, false},
		{"[::1]:443", "::1", 443, true},
		{"[0:0:0:0:0:0:0:1]:443", "::1", 443, true},
		{"[::1]:*", "::2", 443, false},
		{"*:443", "anything.at.all", 443, true},
		{"*:443", "10.0.0.1", 443, true},
		{"*:443", "::1", 443, true},
		{"*:443", "::1", 80, false},
		{"*:*", "::1", 80, true},
		{"*.b\xc3\xbc"
		 "cher.de:443",
		 "a.xn--bcher-kva.de", 443, true},
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct pattern p, again;
		struct error err;
		struct buf text;

		if (!pattern_parse(span_of(rows[i].pattern), &p, &err))
			fail_msg("%s: %s", rows[i].pattern, err.text);
		if (pattern_match(&p, rows[i].host, rows[i].port) != rows[i].match)
			fail_msg("%s and %s port %u", rows[i].pattern, rows[i].host, rows[i].port);

		buf_init(&text, PATTERN_TEXT_MAX);
		pattern_format(&p, &text);
		assert_false(buf_full(&text));
		assert_true(pattern_parse(buf_span(&text), &again, &err));
		assert_memory_equal(&p, &again, sizeof p);
		buf_free(&text);
	}
}

static void bad_patterns(void **state)
{
	static const char *const rows[] = {
		"",
		":",
		":443",
		"example.com",
		"example.com:",
		"example.com:0",
		"example.com:65536",
		"example.com:443x",
		"example.com:0443",
		"[::1]",
		"::1:443",
		"[::1:443",
		"a*.example.com:443",
		"*example.com:443",
		"***.example.com:443",
		"*.*.example.com:443",
		"example.*:443",
		"*.:443",
		"**:443",
		"*.10.0.0.1:443",
		"*.[::1]:443",
		"127.1:443",
		"2130706433:*",
		"[::ffff:127.0.0.1]:443",
		"[fe80::1%1]:443",
		"https://example.com:443",
		"user@example.com:443",
		"a..b:443",
		"exa mple:443",
		"a%2eb:443",
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct pattern p;
		struct error err = {0};

		if (pattern_parse(span_of(rows[i]), &p, &err))
			fail_msg("%s was taken", rows[i]);
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_true(err.text[0]);
	}
}

/* ---- names ---- */

static void names(void **state)
{
	struct error err = {0};
	struct allow a;
	(void)state;

	set_up(&a, NULL, NULL);
	assert_true(allow_all_names(&a));
	assert_true(allow_name(&a, "any.example", 1, &err));
	allow_free(&a);

	set_up(&a, (const char *[]){"api.example.com:443", "**.internal.example:*", NULL}, NULL);
	assert_false(allow_all_names(&a));
	assert_true(allow_name(&a, "api.example.com", 443, &err));
	assert_true(allow_name(&a, "x.y.internal.example", 22, &err));
	assert_false(allow_name(&a, "api.example.com", 80, &err));
	assert_int_equal(err.kind, ERR_DENIED);
	assert_non_null(strstr(err.text, "api.example.com port 80"));
	assert_false(allow_name(&a, "internal.example", 22, &err));
	allow_free(&a);
}

static void configuration_errors(void **state)
{
	struct text_list good = {0}, bad = {0};
	struct error err = {0};
	struct allow a;
	(void)state;

	text_list_add(&good, "127.0.0.0/8");
	text_list_add(&good, "nonsense");
	assert_false(allow_init(&a, &bad, &good, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "block 2"));
	allow_free(&a);

	text_list_add(&bad, "example.com");
	assert_false(allow_init(&a, &bad, &(struct text_list){0}, &err));
	assert_non_null(strstr(err.text, "name 1"));
	allow_free(&a);
	text_list_free(&good);
	text_list_free(&bad);
}

/* ---- addresses ---- */

static void only_public(void **state)
{
	static const struct {
		const char *ip, *class; /* NULL: passes */
	} rows[] = {
		{"8.8.8.8", NULL},
		{"2606:4700::1111", NULL},
		{"127.0.0.1", "loopback"},
		{"::1", "loopback"},
		{"10.1.2.3", "private"},
		{"172.31.0.1", "private"},
		{"192.168.0.1", "private"},
		{"169.254.0.1", "link-local"},
		{"169.254.169.254", "instance-metadata"},
		{"fd00:ec2::254", "instance-metadata"},
		{"fe80::1", "link-local"},
		{"fc00::1", "unique-local"},
		{"fec0::1", "site-local"},
		{"100.64.0.1", "shared"},
		{"0.0.0.0", "unspecified"},
		{"0.1.2.3", "unspecified"},
		{"::", "unspecified"},
		{"224.0.0.1", "multicast"},
		{"ff02::1", "multicast"},
		{"255.255.255.255", "broadcast"},
		{"240.0.0.1", "reserved"},
		{"198.18.0.1", "benchmarking"},
		{"192.0.0.8", "protocol-assignment"},
		{"192.0.2.1", "documentation"},
		{"2001:db8::1", "documentation"},
		{"100::1", "discard-only"},
		{"::ffff:8.8.8.8", "IPv4-mapped"},
		{"::ffff:127.0.0.1", "IPv4-mapped"},
		{"64:ff9b::8.8.8.8", "NAT64"},
		{"2002:808:808::1", "6to4"},
		{"2001::1", "Teredo"},
		{"::8.8.8.8", "reserved"},
	};
	struct sockaddr_storage unix_socket = {.ss_family = AF_UNIX};
	struct error err;
	struct allow a;
	(void)state;

	set_up(&a, NULL, NULL);
	for (size_t i = 0; i < countof(rows); i++) {
		if (dial(&a, rows[i].ip, 443, &err) != !rows[i].class)
			fail_msg("%s: %s", rows[i].ip, err.text);
		if (!rows[i].class)
			continue;
		assert_int_equal(err.kind, ERR_ADDRESS_DENIED);
		assert_non_null(strstr(err.text, rows[i].class));
	}
	assert_false(allow_address(&a, (struct sockaddr *)&unix_socket, &err));
	allow_free(&a);
}

static void blocks_open_what_they_cover(void **state)
{
	struct error err;
	struct allow a;
	(void)state;

	set_up(&a, NULL, (const char *[]){"10.1.0.0/16", "127.0.0.1", "fc00::/7", NULL});
	assert_true(dial(&a, "10.1.255.1", 443, &err));
	assert_false(dial(&a, "10.2.0.1", 443, &err));
	assert_true(dial(&a, "127.0.0.1", 443, &err));
	assert_false(dial(&a, "127.0.0.2", 443, &err));
	assert_true(dial(&a, "fd00::1", 443, &err));
	assert_false(dial(&a, "::ffff:10.1.0.1", 443, &err));
	assert_true(dial(&a, "8.8.8.8", 443, &err));
	allow_free(&a);
}

/* A block of a translator's opens no way to what would not pass as IPv4. */
static void translators(void **state)
{
	static const char *const outer[] = {"64:ff9b::/96", "2002::/16", "::ffff:0.0.0.0/96", "2001::/32",
					    NULL};
	static const char *const both[] = {"64:ff9b::/96", "::ffff:0.0.0.0/96", "10.0.0.0/8", NULL};
	struct error err;
	struct allow a;
	(void)state;

	set_up(&a, NULL, outer);
	assert_true(dial(&a, "64:ff9b::8.8.8.8", 443, &err));
	assert_true(dial(&a, "2002:808:808::1", 443, &err));
	assert_true(dial(&a, "::ffff:8.8.8.8", 443, &err));
	assert_false(dial(&a, "64:ff9b::169.254.169.254", 80, &err));
	assert_non_null(strstr(err.text, "instance-metadata"));
	assert_false(dial(&a, "2002:7f00:1::1", 80, &err));
	assert_false(dial(&a, "::ffff:10.0.0.1", 80, &err));
	assert_false(dial(&a, "2001:0:1:2:3:4:80ff:fffe", 80, &err)); /* 127.0.0.1 inverted */
	assert_non_null(strstr(err.text, "loopback"));
	allow_free(&a);

	set_up(&a, NULL, both);
	assert_true(dial(&a, "64:ff9b::10.0.0.1", 443, &err));
	assert_true(dial(&a, "::ffff:10.0.0.1", 443, &err));
	assert_false(dial(&a, "64:ff9b::192.168.0.1", 443, &err));
	allow_free(&a);
}

static void never_itself(void **state)
{
	static const char *const all[] = {"0.0.0.0/0", "::/0", NULL};
	struct sockaddr_storage unix_socket = {.ss_family = AF_UNIX};
	struct error err;
	struct allow a;
	(void)state;

	set_up(&a, NULL, all);
	listen_at(&a, "127.0.0.1", 5001);
	listen_at(&a, "0.0.0.0", 5002);
	listen_at(&a, "203.0.113.9", 5003);
	allow_add_listener(&a, (struct sockaddr *)&unix_socket);

	assert_false(dial(&a, "127.0.0.1", 5001, &err));
	assert_int_equal(err.kind, ERR_ADDRESS_DENIED);
	assert_non_null(strstr(err.text, "itself"));
	assert_false(dial(&a, "0.0.0.0", 5001, &err));
	assert_false(dial(&a, "::", 5001, &err));
	assert_false(dial(&a, "::ffff:127.0.0.1", 5001, &err));
	assert_true(dial(&a, "127.0.0.2", 5001, &err));
	assert_true(dial(&a, "127.0.0.1", 5000, &err));

	/* on all addresses: every loopback one and those of the interfaces, but nobody else's */
	assert_false(dial(&a, "127.9.9.9", 5002, &err));
	assert_false(dial(&a, "::1", 5002, &err));
	assert_false(dial(&a, "0.0.0.0", 5002, &err));
	assert_true(dial(&a, "203.0.113.77", 5002, &err));

	assert_false(dial(&a, "203.0.113.9", 5003, &err));
	assert_true(dial(&a, "127.0.0.1", 5003, &err));
	allow_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),    cmocka_unit_test(bad_patterns),
		cmocka_unit_test(names),       cmocka_unit_test(configuration_errors),
		cmocka_unit_test(only_public), cmocka_unit_test(blocks_open_what_they_cover),
		cmocka_unit_test(translators), cmocka_unit_test(never_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

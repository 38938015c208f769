/* Which certificate names stand for which server (RFC 9525 section 6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "tls/server_name.h"

static const struct {
	const char *host, *pattern;
	bool match;
} cases[] = {
	{"example.com", "example.com", true},
	{"example.com", "EXAMPLE.com", true},
	{"Example.com", "example.com", true},
	{"example.com.", "example.com", true},
	{"example.com", "example.com.", false},
	{"example.com", "www.example.com", false},
	{"www.example.com", "example.com", false},
	{"a.example.com", "*.example.com", true},
	{"A.example.com", "*.EXAMPLE.com", true},
	{"example.com", "*.example.com", false},
	{"a.b.example.com", "*.example.com", false},
	{"a.b.example.com", "*.b.example.com", true},
	{"foo.example.com", "f*.example.com", false},
	{"foo.example.com", "*oo.example.com", false},
	{"foo.example.com", "foo.*.com", false},
	{"foo.example.com", "*.*.com", false},
	{"foo.com", "*.com", false},
	{"localhost", "*", false},
	{"localhost", "localhost", true},
	{"a_b.example.com", "a_b.example.com", true},
	{"example.com", ".example.com", false},
	{"example.com", "", false},
	{"example.com", "example..com", false},
	{"example.com", "example.com ", false},
	{"xn--bcher-kva.example", "xn--bcher-kva.example", true},
	{"xn--bcher-kva.example",
	 "b\xc3\xbc"
	 "cher.example",
	 false},
	{"192.0.2.1", "192.0.2.1", false}, /* an address is never a dNSName */
	{"192.0.2.1", "*.0.2.1", false},
	{"::1", "::1", false},
};

static void names(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct server_name name;
		assert_true(server_name_init(&name, cases[i].host));
		if (server_name_matches_dns(&name, span_of(cases[i].pattern)) != cases[i].match)
			fail_msg("%s and %s", cases[i].host, cases[i].pattern);
	}
}

static void addresses(void **state)
{
	(void)state;
	struct server_name name;
	assert_true(server_name_init(&name, "192.0.2.1"));
	assert_true(server_name_matches_ip(&name, SPAN("\xc0\x00\x02\x01")));
	assert_false(server_name_matches_ip(&name, SPAN("\xc0\x00\x02\x02")));
	assert_false(server_name_matches_ip(&name, SPAN("\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01")));
	assert_true(server_name_init(&name, "::1"));
	assert_true(server_name_matches_ip(&name, SPAN("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01")));
	assert_true(server_name_init(&name, "example.com"));
	assert_false(server_name_matches_ip(&name, SPAN("")));
}

static void malformed_hosts(void **state)
{
	(void)state;
	static const char *const bad[] = {"",	   ".",		  "a..b", ".a", "a b", "a/b", "*.example.com",
					  "[::1]", "fe80::1%eth0"};
	struct server_name name;
	for (size_t i = 0; i < countof(bad); i++)
		if (server_name_init(&name, bad[i]))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(addresses),
		cmocka_unit_test(malformed_hosts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

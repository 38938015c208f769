/* What a policy says to a request, why, and whether CONNECT would get round it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/policy_ask.h"

static void verdicts(void **state)
{
	static const struct {
		const char *policy, *method, *host;
		uint16_t port;
		const char *path;
		bool pass;
	} rows[] = {
		/* no rules */
		{"", "GET", "a.example", 443, "/", false},
		{"default deny", "GET", "a.example", 443, "/", false},
		{"default allow", "GET", "a.example", 443, "/", true},
		{"default allow", "CONNECT", "a.example", 443, "", true},
		/* an allow rule makes everything else denied, whatever the default */
		{"default allow\nallow a.example:443", "GET", "a.example", 443, "/x", true},
		{"default allow\nallow a.example:443", "GET", "b.example", 443, "/x", false},
		{"default allow\nallow a.example:443", "GET", "a.example", 80, "/x", false},
		/* deny wins, however exact the allow rule is */
		{"allow a.example:443\ndeny *:*", "GET", "a.example", 443, "/", false},
		{"default allow\ndeny **.example:*", "GET", "a.example", 443, "/", false},
		{"default allow\ndeny **.example:*", "GET", "a.other", 443, "/", true},
		/* methods */
		{"allow a.example:443 GET,HEAD", "GET", "a.example", 443, "/", true},
		{"allow a.example:443 GET,HEAD", "POST", "a.example", 443, "/", false},
		{"allow a.example:443 GET", "get", "a.example", 443, "/", false},
		{"default allow\ndeny a.example:443 POST", "post", "a.example", 443, "/", false},
		{"default allow\ndeny a.example:443 POST", "POSTS", "a.example", 443, "/", true},
		/* paths: whole segments */
		{"allow a.example:443/v1", "GET", "a.example", 443, "/v1", true},
		{"allow a.example:443/v1", "GET", "a.example", 443, "/v1/x", true},
		{"allow a.example:443/v1", "GET", "a.example", 443, "/v1?q=/v2", true},
		{"allow a.example:443/v1", "GET", "a.example", 443, "/v1x", false},
		{"allow a.example:443/v1", "GET", "a.example", 443, "/V1", false},
		{"allow a.example:443/v1/", "GET", "a.example", 443, "/v1/", true},
		{"allow a.example:443/v1/", "GET", "a.example", 443, "/v1", false},
		{"allow a.example:443/", "GET", "a.example", 443, "/any/thing", true},
		{"allow a.example:443/a%20b", "GET", "a.example", 443, "/a%20b/c", true},
		{"allow a.example:443/v1", "OPTIONS", "a.example", 443, "*", false},
		{"default allow\ndeny a.example:443/admin", "GET", "a.example", 443, "/admin", false},
		{"default allow\ndeny a.example:443/admin", "GET", "a.example", 443, "/%61%64min/x", false},
		{"default allow\ndeny a.example:443/a:b", "GET", "a.example", 443, "/a%3Ab", false},
		{"default allow\ndeny a.example:443/a%3ab", "GET", "a.example", 443, "/a:b", false},
		{"default allow\ndeny a.example:443/admin", "GET", "a.example", 443, "/public", true},
		/* CONNECT: host and port alone */
		{"allow a.example:443", "CONNECT", "a.example", 443, "", true},
		{"allow a.example:443/", "CONNECT", "a.example", 443, "", false},
		{"allow a.example:443/", "CONNECT", "a.example", 443, "/", false},
		{"allow a.example:443 GET,POST", "CONNECT", "a.example", 443, "", false},
		{"allow a.example:443 CONNECT", "CONNECT", "a.example", 443, "", true},
		{"allow a.example:443 CONNECT", "GET", "a.example", 443, "/", false},
		{"default allow\ndeny a.example:443/admin", "CONNECT", "a.example", 443, "", true},
		{"default allow\ndeny a.example:443 CONNECT", "CONNECT", "a.example", 443, "", false},
		{"default allow\ndeny *:25", "CONNECT", "2001:db8::1", 25, "", false},
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++)
		if (policy_passes(rows[i].policy, rows[i].method, rows[i].host, rows[i].port, rows[i].path) !=
		    rows[i].pass)
			fail_msg("\"%s\": %s %s:%u%s", rows[i].policy, rows[i].method, rows[i].host,
				 rows[i].port, rows[i].path);
}

static void says_which_rule(void **state)
{
	struct policy p;
	struct policy_verdict v;
	(void)state;

	policy_given(&p, "allow a.example:443/v1\ndeny A.example:443/v1/secret POST,GET");
	v = policy_ask(&p, "GET", "a.example", 443, "/v1/x");
	assert_true(v.pass);
	assert_string_equal(v.rule->text, "allow a.example:443/v1");
	v = policy_ask(&p, "GET", "a.example", 443, "/v1/secret");
	assert_false(v.pass);
	assert_non_null(strstr(v.why.text, "deny a.example:443/v1/secret GET,POST"));
	v = policy_ask(&p, "PUT", "a.example", 443, "/v1/%2e%2e");
	assert_non_null(strstr(v.why.text, "dot segment"));
	assert_non_null(strstr(v.why.text, "allow a.example:443/v1"));
	v = policy_ask(&p, "PUT", "b.example", 444, "/v1");
	assert_null(v.rule);
	assert_non_null(strstr(v.why.text, "b.example port 444"));
	policy_free(&p);
}

static void report_only(void **state)
{
	struct policy p;
	struct policy_verdict v;
	(void)state;

	policy_given(&p, "mode report\ndeny *:*");
	v = policy_ask(&p, "GET", "a.example", 443, "/");
	assert_true(v.pass);
	assert_true(v.denied);
	assert_non_null(strstr(v.why.text, "deny *:*"));
	policy_free(&p);
}

static void connect_gap(void **state)
{
	static const struct {
		const char *policy, *gap;
	} rows[] = {
		{"default allow\ndeny a.example:443/admin", "deny a.example:443/admin"},
		{"default allow\ndeny a.example:443 POST", "deny a.example:443 POST"},
		{"default allow\ndeny a.example:443/admin\ndeny a.example:443 CONNECT", NULL},
		{"default allow\ndeny a.example:443/admin\ndeny a.example:* CONNECT", NULL},
		{"default allow\ndeny a.example:443/admin\ndeny *:* CONNECT", NULL},
		{"default allow\ndeny a.example:*/admin\ndeny a.example:443 CONNECT",
		 "deny a.example:*/admin"},
		{"allow a.example:443/\ndeny a.example:443/admin", NULL},
		{"allow a.example:443\ndeny a.example:443/admin", "deny a.example:443/admin"},
		{"default deny\ndeny a.example:443/admin", NULL},
		{"default allow\ndeny a.example:443", NULL},
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct policy p;

		policy_given(&p, rows[i].policy);
		const struct policy_rule *gap = policy_connect_gap(&p);
		if (!gap != !rows[i].gap || (gap && strcmp(gap->text, rows[i].gap) != 0))
			fail_msg("\"%s\": %s", rows[i].policy, gap ? gap->text : "none");
		policy_free(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(says_which_rule),
		cmocka_unit_test(report_only),
		cmocka_unit_test(connect_gap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

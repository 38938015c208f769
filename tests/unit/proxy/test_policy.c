#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/path.h"
#include "proxy/policy.h"

static void load(struct policy *p, const char *text)
{
	struct error err;

	if (!policy_load_text(p, "test", span_of(text), &err))
		fail_msg("%s", err.text);
}

static struct policy_verdict ask(const struct policy *p, const char *method, const char *host, uint16_t port,
				 const char *path)
{
	struct policy_request r = {host, port, span_of(method), span_of(path)};
	struct policy_verdict v;

	policy_judge(p, &r, &v);
	assert_int_equal(v.denied, v.why.kind == ERR_DENIED);
	return v;
}

static bool passes(const char *policy, const char *method, const char *host, uint16_t port, const char *path)
{
	struct policy p;

	load(&p, policy);
	struct policy_verdict v = ask(&p, method, host, port, path);
	policy_free(&p);
	return v.pass;
}

/* ---- verdicts ---- */

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
		if (passes(rows[i].policy, rows[i].method, rows[i].host, rows[i].port, rows[i].path) !=
		    rows[i].pass)
			fail_msg("\"%s\": %s %s:%u%s", rows[i].policy, rows[i].method, rows[i].host,
				 rows[i].port, rows[i].path);
}

static const char *const ambiguous_paths[] = {
	"/v1/../admin",
	"/v1/%2e%2e/admin",
	"/v1/.%2E/admin",
	"/v1/./x",
	"/v1/%2e/x",
	"/..",
	"/v1/..",
	"/v1//admin",
	"//v1/x",
	"//",
	"/v1%2fadmin",
	"/v1%2F..%2Fadmin",
	"/v1%5cadmin",
	"/v1\\admin",
	"/v1/%252e%252e/admin",
	"/v1%252fadmin",
	"/v1/%2%65%2e/x",
	"/v1/%zz",
	"/v1/%",
	"/v1/%2",
	"/v1/%u002e",
	"/v1/..;/admin",
	"/v1;x=1/a",
	"/v1/..%3b/admin",
	"/v1/%00",
	"/v1/%0a",
	"/v1/a\tb",
	"/v1/%7f",
	"/v1/%c0%ae%c0%ae/admin",
	"/v1/\xc0\xaf",
	"/v1/%e0%80%af",
	"/v1/%f0%80%80%af",
	"/v1/x#/../admin",
	"v1/x",
	"",
};

/* A path with two readings passes no rule about paths, neither to allow nor round a denial. */
static void ambiguous(void **state)
{
	(void)state;

	for (size_t i = 0; i < countof(ambiguous_paths); i++) {
		const char *path = ambiguous_paths[i];

		if (passes("allow a.example:443/v1", "GET", "a.example", 443, path))
			fail_msg("%s was allowed", path);
		if (passes("default allow\ndeny a.example:443/admin", "GET", "a.example", 443, path))
			fail_msg("%s got round the denial", path);
		if (passes("allow a.example:443\ndeny a.example:443/admin GET", "GET", "a.example", 443,
			   path))
			fail_msg("%s got round the denial of a method", path);
		/* where no rule looks at paths, it is none of the policy's business */
		assert_true(passes("allow a.example:443", "GET", "a.example", 443, path));
		assert_true(
			passes("allow a.example:443\nallow a.example:443/v1", "GET", "a.example", 443, path));
		assert_true(passes("allow a.example:443\ndeny a.example:443/admin POST", "GET", "a.example",
				   443, path));
		assert_true(passes("allow a.example:443\ndeny b.example:443/admin", "GET", "a.example", 443,
				   path));
	}
}

static void says_which_rule(void **state)
{
	struct policy p;
	struct policy_verdict v;
	(void)state;

	load(&p, "allow a.example:443/v1\ndeny A.example:443/v1/secret POST,GET");
	v = ask(&p, "GET", "a.example", 443, "/v1/x");
	assert_true(v.pass);
	assert_string_equal(v.rule->text, "allow a.example:443/v1");
	v = ask(&p, "GET", "a.example", 443, "/v1/secret");
	assert_false(v.pass);
	assert_non_null(strstr(v.why.text, "deny a.example:443/v1/secret GET,POST"));
	v = ask(&p, "PUT", "a.example", 443, "/v1/%2e%2e");
	assert_non_null(strstr(v.why.text, "dot segment"));
	assert_non_null(strstr(v.why.text, "allow a.example:443/v1"));
	v = ask(&p, "PUT", "b.example", 444, "/v1");
	assert_null(v.rule);
	assert_non_null(strstr(v.why.text, "b.example port 444"));
	policy_free(&p);
}

static void report_only(void **state)
{
	struct policy p;
	struct policy_verdict v;
	(void)state;

	load(&p, "mode report\ndeny *:*");
	v = ask(&p, "GET", "a.example", 443, "/");
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

		load(&p, rows[i].policy);
		const struct policy_rule *gap = policy_connect_gap(&p);
		if (!gap != !rows[i].gap || (gap && strcmp(gap->text, rows[i].gap) != 0))
			fail_msg("\"%s\": %s", rows[i].policy, gap ? gap->text : "none");
		policy_free(&p);
	}
}

/* ---- text ---- */

static void bad_rules(void **state)
{
	static const char *const rows[] = {
		"allow",
		"allow ",
		"allow a.example",
		"allow https://a.example:443",
		"allow a.example:443 get",
		"allow a.example:443 GET POST",
		"allow a.example:443 GET,",
		"allow a.example:443 ,GET",
		"allow a.example:443/v1?x",
		"allow a.example:443/v1#x",
		"allow a.example:443/../x",
		"allow a.example:443//x",
		"allow a.example:443/a%2fb",
		"allow a.example:443/a%zz",
		"allow a.example:443/v1 CONNECT",
		"allow a.example:443/v1 GET,CONNECT",
		"allow a.example:443\tGET",
		"allow a.example:443 GET\r",
		"permit a.example:443",
		"Allow a.example:443",
		"mode lax",
		"mode",
		"default maybe",
		"mode report\nmode report",
		"default deny\ndefault deny",
		"allow a.example:443 G\xc3\xbcT",
		"allow *.10.0.0.1:443",
	};
	(void)state;

	for (size_t i = 0; i < countof(rows); i++) {
		struct error err = {0};
		struct policy p;

		if (policy_load_text(&p, "file", span_of(rows[i]), &err))
			fail_msg("\"%s\" was taken", rows[i]);
		assert_int_equal(err.kind, ERR_CONFIG);
		assert_memory_equal(err.text, "file line ", 10);
		policy_free(&p);
	}
}

static void canonical_text(void **state)
{
	static const char want[] = "mode enforce\n"
				   "default deny\n"
				   "allow **.xn--bcher-kva.de:*\n"
				   "allow a.example:443/v%201/:x GET,POST\n"
				   "deny [2001:db8::1]:80 CONNECT\n";
	static const char *const spellings[] = {
		want,
		"# comment\n\n  deny [2001:DB8:0::1]:80 CONNECT\nallow A.EXAMPLE.:443/%76%201/%3ax   "
		"POST,GET,POST\n"
		"allow **.b\xc3\xbc"
		"cher.de:*\nallow a.example:443/v%201/:x GET,POST\ndefault allow",
	};
	struct policy p;
	struct buf text;
	uint8_t digest[HASH_SIZE];
	struct span whole = span_of(want);
	(void)state;

	hash_sha256(&whole, 1, digest);
	for (size_t i = 0; i < countof(spellings); i++) {
		load(&p, spellings[i]);
		buf_init(&text, 4096);
		policy_format(&p, &text);
		assert_string_equal(buf_text(&text), want);
		assert_memory_equal(p.digest, digest, sizeof digest);
		buf_free(&text);
		policy_free(&p);
	}
	load(&p, "deny *:*");
	assert_memory_not_equal(p.digest, digest, sizeof digest);
	policy_free(&p);
}

static void from_settings_and_file(void **state)
{
	char path[] = "/tmp/test_policy.XXXXXX";
	int fd = mkstemp(path);
	struct text_list allow = {0}, deny = {0};
	struct policy_source from = {POLICY_ENFORCE, POLICY_ALLOW, &allow, &deny, path};
	struct error err = {0};
	struct policy p;
	(void)state;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "mode report\ndeny c.example:*\n", 29), 29);
	close(fd);
	text_list_add(&allow, "a.example:443");
	text_list_add(&deny, "b.example:443");
	assert_true(policy_load(&p, &from, &err));
	assert_int_equal(p.mode, POLICY_REPORT);
	assert_int_equal(p.otherwise, POLICY_DENY);
	assert_int_equal(p.count, 3);
	policy_free(&p);

	text_list_add(&deny, "broken");
	assert_false(policy_load(&p, &from, &err));
	assert_non_null(strstr(err.text, "policy.deny rule 2"));
	policy_free(&p);
	unlink(path);
	deny.count--;
	free(deny.items[deny.count]);
	assert_false(policy_load(&p, &from, &err));
	policy_free(&p);

	from.file = "";
	assert_true(policy_load(&p, &from, &err));
	assert_int_equal(p.mode, POLICY_ENFORCE);
	policy_free(&p);
	text_list_free(&allow);
	text_list_free(&deny);
}

/* ---- no two spellings of one target get different verdicts ---- */

static unsigned below(unsigned n)
{
	return (unsigned)rand() % n;
}

/* Any byte may be escaped; that changes nothing unless it makes the path ambiguous, and then it is denied. */
static void respell(const char *path, char *out)
{
	for (; *path; path++) {
		if (below(3) == 0)
			out += sprintf(out, below(2) ? "%%%02x" : "%%%02X", (unsigned char)*path);
		else
			*out++ = *path;
	}
	*out = 0;
}

static void spellings(void **state)
{
	static const char *const segment[] = {"v1", "admin", "a b",	 "x", ".",
					      "..", "%",     "\xc3\xbc", "",  "a:b"};
	unsigned same = 0;
	struct policy p;
	(void)state;

	load(&p, "allow a.example:443/v1\nallow a.example:443/a:b\ndeny a.example:443/v1/admin\n"
		 "deny a.example:443/%25");
	srand(11);
	for (unsigned round = 0; round < 20000; round++) {
		char plain[128] = "", escaped[128] = "", a[512] = "/", b[512] = "/";

		for (unsigned n = 1 + below(4); n; n--) {
			const char *s = segment[below(countof(segment))];
			sprintf(plain + strlen(plain), "%s%s", s, n > 1 ? "/" : "");
		}
		for (const char *s = plain; *s; s++) /* what must be escaped to be in a path at all */
			sprintf(escaped + strlen(escaped), *s == '%' ? "%%25" : "%c", *s);
		strcat(a, escaped);
		respell(plain, b + 1);
		struct policy_verdict first = ask(&p, "GET", "a.example", 443, a);
		struct policy_verdict second = ask(&p, "GET", "a.example", 443, b);

		if (second.pass && !first.pass)
			fail_msg("%s is denied and %s is not", a, b);
		if (second.pass == first.pass)
			same++;
		else if (!strchr(plain, '/') && !strchr(plain, '%'))
			fail_msg("%s is allowed and %s is not, yet it escapes no slash", a, b);
	}
	assert_in_range(same, 10000, 20000);
	policy_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),	   cmocka_unit_test(ambiguous),
		cmocka_unit_test(says_which_rule), cmocka_unit_test(report_only),
		cmocka_unit_test(connect_gap),	   cmocka_unit_test(bad_rules),
		cmocka_unit_test(canonical_text),  cmocka_unit_test(from_settings_and_file),
		cmocka_unit_test(spellings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

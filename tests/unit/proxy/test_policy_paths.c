/* No two spellings of one target get different verdicts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/policy_ask.h"

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

		if (policy_passes("allow a.example:443/v1", "GET", "a.example", 443, path))
			fail_msg("%s was allowed", path);
		if (policy_passes("default allow\ndeny a.example:443/admin", "GET", "a.example", 443, path))
			fail_msg("%s got round the denial", path);
		if (policy_passes("allow a.example:443\ndeny a.example:443/admin GET", "GET", "a.example",
				  443, path))
			fail_msg("%s got round the denial of a method", path);
		/* where no rule looks at paths, it is none of the policy's business */
		assert_true(policy_passes("allow a.example:443", "GET", "a.example", 443, path));
		assert_true(policy_passes("allow a.example:443\nallow a.example:443/v1", "GET", "a.example",
					  443, path));
		assert_true(policy_passes("allow a.example:443\ndeny a.example:443/admin POST", "GET",
					  "a.example", 443, path));
		assert_true(policy_passes("allow a.example:443\ndeny b.example:443/admin", "GET", "a.example",
					  443, path));
	}
}

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

	policy_given(&p, "allow a.example:443/v1\nallow a.example:443/a:b\ndeny a.example:443/v1/admin\n"
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
		struct policy_verdict first = policy_ask(&p, "GET", "a.example", 443, a);
		struct policy_verdict second = policy_ask(&p, "GET", "a.example", 443, b);

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
		cmocka_unit_test(ambiguous),
		cmocka_unit_test(spellings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

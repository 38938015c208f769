/* How policies are written: rules that are none, one text for all spellings, and where they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/policy_ask.h"

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
		policy_given(&p, spellings[i]);
		buf_init(&text, 4096);
		policy_format(&p, &text);
		assert_string_equal(buf_text(&text), want);
		assert_memory_equal(p.digest, digest, sizeof digest);
		buf_free(&text);
		policy_free(&p);
	}
	policy_given(&p, "deny *:*");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(canonical_text),
		cmocka_unit_test(from_settings_and_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

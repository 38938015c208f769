/* The claims' text has one form, and is what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "nsm/claims.h"

/* SHA-256 of "policy", of nothing, and of "key". */
static const char text[] =
	"nitroproxy-claims: 2\n"
	"version: 1.2.3-rc1+x~y_z\n"
	"binary-sha256: -\n"
	"policy-sha256: 823412d1eacb67956220e532959f0104603057c88704863ca38e7cd188fda812\n"
	"trust-store-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
	"config-sha256: -\n"
	"ingress-key-sha256: 2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683\n"
	"receipt-key-sha256: -\n";

static void test_round_trip(void **state)
{
	(void)state;
	struct claims c = {.version = "1.2.3-rc1+x~y_z"}, again;
	struct error err;
	struct buf out;
	claims_set(&c, CLAIM_POLICY, SPAN("policy"));
	claims_set(&c, CLAIM_TRUST_STORE, SPAN(""));
	claims_set(&c, CLAIM_CONFIG, SPAN("config"));
	claims_set(&c, CLAIM_CONFIG, (struct span){NULL, 0});
	claims_set(&c, CLAIM_INGRESS_KEY, SPAN("key"));
	buf_init(&out, CLAIMS_MAX);
	assert_true(claims_write(&c, &out, &err));
	assert_string_equal(buf_text(&out), text);
	assert_true(claims_parse(buf_span(&out), &again, &err));
	assert_memory_equal(again.version, c.version, sizeof c.version);
	for (int i = 0; i < CLAIM_COUNT; i++) {
		assert_int_equal(again.has[i], c.has[i]);
		if (c.has[i])
			assert_memory_equal(again.sha256[i], c.sha256[i], SHA256_SIZE);
	}
	buf_free(&out);
}

static void expect_refused(const char *p, size_t n)
{
	struct claims c;
	struct error err = {.kind = ERR_NONE};
	assert_false(claims_parse((struct span){p, n}, &c, &err));
	assert_int_equal(err.kind, ERR_BAD_REQUEST);
}

/* Cut anywhere, lengthened, or any one character replaced by one that cannot stand there. */
static void test_one_form(void **state)
{
	(void)state;
	static const char other[] = {'\n', ' ', 'A', 'g', '\0', '\x80'};
	char copy[sizeof text];
	for (size_t n = 0; n < sizeof text - 1; n++)
		expect_refused(text, n);
	expect_refused(text, sizeof text); /* and a 0 */
	const char *version = strstr(text, "1.2.3"), *version_end = strchr(version, '\n');
	for (size_t i = 0; i < sizeof text - 1; i++)
		for (size_t k = 0; k < sizeof other; k++) {
			memcpy(copy, text, sizeof text);
			copy[i] = other[k];
			bool same = copy[i] == text[i];
			bool new_version =
				text + i >= version && text + i < version_end && (k == 2 || k == 3);
			if (!same && !new_version)
				expect_refused(copy, sizeof text - 1);
		}
	static const char *const forms[] = {
		"",
		"\n",
		"nitroproxy-claims: 2\n",
		"nitroproxy-claims: 1\n",
		"nitroproxy-claims: 2\r\nversion: 1\r\n",
	};
	for (size_t i = 0; i < countof(forms); i++)
		expect_refused(forms[i], strlen(forms[i]));
}

static void test_versions(void **state)
{
	(void)state;
	struct buf out;
	struct error err;
	buf_init(&out, CLAIMS_MAX);
	static const char *const bad[] = {"", "1 2", "1\n2", "1\"", "\xc3\xa4", "{}", "a/b"};
	for (size_t i = 0; i < countof(bad); i++) {
		struct claims c = {.version = ""};
		strcpy(c.version, bad[i]);
		assert_false(claims_write(&c, &out, &err));
	}
	struct claims longest = {.version = ""}, again;
	memset(longest.version, 'v', CLAIMS_VERSION_MAX);
	for (enum claim i = 0; i < CLAIM_COUNT; i++)
		claims_set(&longest, i, SPAN("x"));
	buf_clear(&out);
	assert_true(claims_write(&longest, &out, &err)); /* CLAIMS_MAX is enough for all */
	assert_true(claims_parse(buf_span(&out), &again, &err));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_one_form),
		cmocka_unit_test(test_versions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What passes of another hop's report, and that nothing of it can change what we say ourselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "proxy/health.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What is written of a report; NULL: unreadable. */
static char *read_as(enum health_reporter who, struct span json, bool *ok)
{
	struct health_report r;
	struct error err;
	health_report_init(&r);
	char *text = NULL;
	if (health_report_read(&r, who, json, &err)) {
		text = mem_text_n(r.json.p, r.json.n);
	} else {
		assert_int_equal(err.kind, ERR_PROTOCOL);
		assert_int_equal(err.hop, who == HEALTH_OF_TUNNEL ? HOP_TUNNEL : HOP_ENCLAVE);
		assert_int_equal(r.json.n, 0);
		assert_false(r.ok);
	}
	*ok = r.ok;
	health_report_free(&r);
	return text;
}

static void expect(enum health_reporter who, const char *json, const char *written)
{
	bool ok;
	char *text = read_as(who, span_of(json), &ok);
	if (written && !text)
		fail_msg("unreadable: %s", json);
	if (written)
		assert_string_equal(text, written);
	else if (text)
		fail_msg("%s was read as %s", json, text);
	free(text);
}

/* All that a hop of ours writes comes through as it was. */
static void test_own_form(void **state)
{
	(void)state;
	static const char tunnel[] = "{\"status\":\"ok\",\"version\":\"0.1.0\",\"uptime\":7,\"allow\":"
				     "\"everything\",\"open\":1,\"accepted\":2,\"connected\":3,"
				     "\"bytes_up\":18446744073709551,\"bytes_down\":5,"
				     "\"errors\":{\"dns\":1,\"refused\":2}}";
	static const char enclave[] =
		"{\"status\":\"failed\",\"role\":\"enclave\",\"version\":\"0.1.0\",\"uptime_s\":12,"
		"\"security\":{\"mode\":\"insecure\",\"insecure\":[\"one\",\"two \\\"words\\\"\"],"
		"\"sandbox\":{\"mode\":\"enforce\",\"landlock\":7,\"memory_locked\":true}},"
		"\"hops\":{\"tunnel\":{\"state\":\"ok\",\"address\":\"vsock:3:5001\",\"latency_ms\":0.512,"
		"\"last_error\":{\"kind\":\"refused\",\"hop\":\"tunnel\",\"detail\":\"connect: no\"},"
		"\"detail\":{\"status\":\"ok\",\"uptime\":1,\"errors\":{\"io\":9}}}},"
		"\"policy\":{\"sha256\":\"" HEX64 "\",\"mode\":\"enforce\",\"rules\":3},"
		"\"tls\":{\"min_version\":\"TLSv1.3\",\"verify_certificates\":true,\"roots\":140,"
		"\"trust_sha256\":\"" HEX64 "\"},"
		"\"attestation\":{\"nsm\":\"device\",\"module\":\"i-0abc-enc1\",\"debug\":false}}";
	expect(HEALTH_OF_TUNNEL, tunnel, tunnel);
	expect(HEALTH_OF_ENCLAVE, enclave, enclave);
	expect(HEALTH_OF_ENCLAVE, "{\"status\":\"ok\"}", "{\"status\":\"ok\"}");
}

static void test_what_is_not_known_is_left_out(void **state)
{
	(void)state;
	static const struct {
		const char *json, *written;
	} cases[] = {
		{"{\"status\":\"ok\",\"colour\":\"red\"}", "{\"status\":\"ok\"}"},
		{"{\"colour\":{\"status\":\"failed\"},\"status\":\"ok\"}", "{\"status\":\"ok\"}"},
		{"{\"status\":\"ok\",\"hops\":{\"enclave\":{\"state\":\"ok\"}}}", "{\"status\":\"ok\"}"},
		{"{\"status\":\"ok\",\"hops\":7,\"policy\":\"none\"}", "{\"status\":\"ok\"}"},
		{"{\"status\":\"ok\",\"role\":null}", "{\"status\":\"ok\"}"},
		{"{\"policy\":{\"mode\":\"report\"},\"role\":\"enclave\",\"status\":\"ok\"}",
		 "{\"status\":\"ok\",\"role\":\"enclave\",\"policy\":{\"mode\":\"report\"}}"},
		{"{\"status\":\"ok\",\"hops\":{\"tunnel\":{\"detail\":{\"errors\":{\"dns\":1,"
		 "\"made_up\":2}}}},\"tls\":{\"roots\":1}}",
		 "{\"status\":\"ok\",\"hops\":{\"tunnel\":{\"detail\":{\"errors\":{\"dns\":1}}}},"
		 "\"tls\":{\"roots\":1}}"},
	};
	for (size_t i = 0; i < countof(cases); i++)
		expect(HEALTH_OF_ENCLAVE, cases[i].json, cases[i].written);
	/* The enclave's members are not the tunnel's. */
	expect(HEALTH_OF_TUNNEL, "{\"status\":\"ok\",\"role\":\"enclave\",\"tls\":{\"roots\":1}}",
	       "{\"status\":\"ok\"}");
}

static void test_unreadable(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		" ",
		"[]",
		"7",
		"null",
		"{",
		"{}",
		"{\"status\":\"ok\"",
		"{\"status\":\"ok\"} {}",
		"{\"status\":\"ok\"},\"status\":\"failed\"",
		"{\"status\":\"ok\",\"status\":\"failed\"}",
		"{\"status\":\"fine\"}",
		"{\"status\":true}",
		"{\"status\":{\"status\":\"ok\"}}",
		"{\"status\":[\"ok\"]}",
		"{\"role\":\"enclave\"}",
		"{\"status\":\"ok\",\"role\":\"\"}",
		"{\"status\":\"ok\",\"role\":\"two words\"}",
		"{\"status\":\"ok\",\"role\":\"x\\\",\\\"y\"}",
		"{\"status\":\"ok\",\"role\":7}",
		"{\"status\":\"ok\",\"role\":{}}",
		("{\"status\":\"ok\",\"version\":"
		 "\"00000000000000000000000000000000000000000000000000000000000000000\"}"),
		"{\"status\":\"ok\",\"uptime_s\":-1}",
		"{\"status\":\"ok\",\"uptime_s\":1.5}",
		"{\"status\":\"ok\",\"uptime_s\":1e99}",
		"{\"status\":\"ok\",\"uptime_s\":\"1\"}",
		"{\"status\":\"ok\",\"uptime_s\":99999999999999999999}",
		"{\"status\":\"ok\",\"security\":{\"insecure\":\"none\"}}",
		"{\"status\":\"ok\",\"security\":{\"insecure\":[[]]}}",
		"{\"status\":\"ok\",\"security\":{\"insecure\":[{\"a\":1}]}}",
		"{\"status\":\"ok\",\"security\":{\"sandbox\":{\"memory_locked\":\"true\"}}}",
		"{\"status\":\"ok\",\"hops\":{\"tunnel\":{\"latency_ms\":-0.5}}}",
		"{\"status\":\"ok\",\"hops\":{\"tunnel\":{\"state\":\"ok\",\"state\":\"ok\"}}}",
		"{\"status\":\"ok\",\"policy\":{\"sha256\":\"abc\"}}",
		"{\"status\":\"ok\",\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{}}}}}}",
		"{\"status\":\"ok\",\"\":1}",
		"{\"status\":\"ok\",\"a\\\"b\":1}",
		"{\"status\":\"ok\",\"role\":\"\xff\"}",
		"{\"status\":\"\\u0000ok\"}",
	};
	for (size_t i = 0; i < countof(cases); i++)
		expect(HEALTH_OF_ENCLAVE, cases[i], NULL);
	bool ok;
	assert_null(read_as(HEALTH_OF_ENCLAVE, (struct span){"{\"status\":\"ok\"}\0", 16}, &ok));
}

/* Too much of everything: refused, cut, or never more than the cap. */
static void test_sizes(void **state)
{
	(void)state;
	struct buf json;
	bool ok;
	char *text;
	buf_init(&json, 1 << 20);
	buf_add_text(&json, "{\"status\":\"ok\",\"x\":\"");
	while (json.n < HEALTH_REPORT_MAX - 2)
		buf_add_text(&json, "x");
	buf_add_text(&json, "\"}");
	assert_int_equal(json.n, HEALTH_REPORT_MAX);
	text = read_as(HEALTH_OF_ENCLAVE, buf_span(&json), &ok);
	assert_string_equal(text, "{\"status\":\"ok\"}");
	free(text);
	buf_add_text(&json, " ");
	assert_null(read_as(HEALTH_OF_ENCLAVE, buf_span(&json), &ok));

	for (int count = 32; count <= 33; count++) {
		buf_clear(&json);
		buf_add_text(&json, "{\"status\":\"ok\",\"security\":{\"insecure\":[\"\"");
		for (int i = 1; i < count; i++)
			buf_add_text(&json, ",\"\"");
		buf_add_text(&json, "]}}");
		text = read_as(HEALTH_OF_ENCLAVE, buf_span(&json), &ok);
		assert_int_equal(text != NULL, count == 32);
		free(text);
	}
	/* Escapes make more of it than there was: 32 texts of 256 bells are 48 KiB. */
	buf_clear(&json);
	buf_add_text(&json, "{\"status\":\"ok\",\"security\":{\"insecure\":[1");
	for (int i = 1; i < 32; i++) {
		buf_add_text(&json, ",\"");
		for (int k = 0; k < 80; k++)
			buf_add_text(&json, "\\u0007");
		buf_add_text(&json, "\"");
	}
	buf_add_text(&json, "]}}");
	assert_in_range(json.n, 1, HEALTH_REPORT_MAX);
	text = read_as(HEALTH_OF_ENCLAVE, buf_span(&json), &ok);
	assert_true(!text || strlen(text) <= HEALTH_REPORT_MAX);
	free(text);
	buf_clear(&json);
	buf_add_text(&json, "{\"status\":\"ok\",\"hops\":{\"tunnel\":{\"address\":\"");
	for (int i = 0; i < 1000; i++)
		buf_add_text(&json, "a");
	buf_add_text(&json, "\"}}}");
	text = read_as(HEALTH_OF_ENCLAVE, buf_span(&json), &ok);
	assert_int_equal(strspn(strstr(text, "aaa"), "a"), 256);
	free(text);
	buf_free(&json);
}

/* A hop that says it is well, fails, is not readable, or was not reached: what the page makes of it. */
static void test_page(void **state)
{
	(void)state;
	static const struct {
		bool reached;
		const char *json; /* NULL: none */
		bool ok;
		const char *has;
	} cases[] = {
		{true, "{\"status\":\"ok\"}", true, "\"detail\":{\"status\":\"ok\"}"},
		{true, "{\"status\":\"failed\"}", false, "\"detail\":{\"status\":\"failed\"}"},
		{true, "{\"status\":\"ok\",\"role\":\"} ,\"}", false, "\"state\":\"ok\""},
		{false, NULL, false, "\"state\":\"failed\""},
		{false, "{\"status\":\"ok\"}", false, "\"state\":\"failed\""},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		struct settings s = {.insecure = {NULL, 0}};
		struct health_report report;
		struct error err;
		struct buf page;
		struct health_hop hop = {.name = "enclave",
					 .address = "unix:\"quoted\"",
					 .ok = cases[i].reached,
					 .report = &report};
		health_report_init(&report);
		if (cases[i].json)
			(void)health_report_read(&report, HEALTH_OF_ENCLAVE, span_of(cases[i].json), &err);
		buf_init(&page, 1 << 16);
		assert_int_equal(health_json(&page, "host", &s, 0, &hop, ",\"more\":1"), cases[i].ok);
		const char *text = buf_text(&page);
		assert_int_equal(strncmp(text, "{\"status\":\"ok\"", 14) == 0, cases[i].ok);
		assert_non_null(strstr(text, cases[i].has));
		assert_non_null(strstr(text, "\"address\":\"unix:\\\"quoted\\\"\""));
		assert_non_null(strstr(text, ",\"more\":1}"));
		buf_free(&page);
		health_report_free(&report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_form),   cmocka_unit_test(test_what_is_not_known_is_left_out),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

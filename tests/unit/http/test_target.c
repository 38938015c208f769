#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/target.h"

static bool read_target(const char *method, const char *line, const char *host, const char *url,
			struct target *t, struct error *err)
{
	struct head h;
	head_init_request(&h, span_of(method), span_of(line));
	if (host)
		head_add(&h, SPAN("Host"), span_of(host));
	if (url)
		head_add(&h, SPAN("x-target-url"), span_of(url));
	return target_of(&h, 100, t, err);
}

static void test_good(void **state)
{
	(void)state;
	static const struct {
		const char *method, *line, *host, *url;
		const char *authority, *path;
	} rows[] = {
		/* clang-format off */
		/* path style */
		{"GET", "/https://a.example/p?q=1", "proxy:8080", NULL, "a.example", "/p?q=1"},
		{"GET", "/https:/a.example/p", "proxy", NULL, "a.example", "/p"},
		{"GET", "/HTTPS://A.Example.:443/", "proxy", NULL, "a.example", "/"},
		{"GET", "/https://a.example", "proxy", NULL, "a.example", "/"},
		{"GET", "/https://a.example?q=/x", "proxy", NULL, "a.example", "/?q=/x"},
		{"GET", "/https://a.example//x//y", "proxy", NULL, "a.example", "//x//y"},
		{"GET", "/https://a.example/https://b.example/", "proxy", NULL, "a.example", "/https://b.example/"},
		{"GET", "/https://a.example/u@v:w\\|%2f\xc3\xbc", "proxy", NULL, "a.example", "/u@v:w\\|%2f\xc3\xbc"},
		{"GET", "/https://192.0.2.1:8443/", "proxy", NULL, "192.0.2.1:8443", "/"},
		{"GET", "/https://[2001:DB8:0::1]/", "proxy", NULL, "[2001:db8::1]", "/"},
		{"GET", "/https://[2001:db8::1]:65535/", "proxy", NULL, "[2001:db8::1]:65535", "/"},
		{"get", "/http://a.example/", "proxy", NULL, "a.example", "/"},
		{"GET", "/http://a.example:443/", "proxy", NULL, "a.example:443", "/"},
		{"GET", "/https://a.example/", NULL, NULL, "a.example", "/"},
		/* absolute form */
		{"GET", "https://a.example/p", "a.example", NULL, "a.example", "/p"},
		{"GET", "https://a.example/p", "A.EXAMPLE.:443", NULL, "a.example", "/p"},
		{"GET", "https://a.example:8443", "a.example:8443", NULL, "a.example:8443", "/"},
		{"GET", "http://a.example/p", "a.example:80", NULL, "a.example", "/p"},
		{"GET", "https://a.example/p", NULL, NULL, "a.example", "/p"},
		{"OPTIONS", "https://a.example", "a.example", NULL, "a.example", "*"},
		{"OPTIONS", "https://a.example/", "a.example", NULL, "a.example", "/"},
		/* X-Target-URL */
		{"GET", "/", "proxy", "https://a.example/p?q", "a.example", "/p?q"},
		{"GET", "/health", "proxy", "https://a.example", "a.example", "/"},
		{"GET", "/", "proxy", "https://a.example?q", "a.example", "/?q"},
		{"OPTIONS", "*", "proxy", "https://a.example", "a.example", "*"},
		{"GET", "/https://a.example/p", "proxy", "https://A.example:443/p", "a.example", "/p"},
		{"GET", "/https://a.example?q", "proxy", "https://a.example/?q", "a.example", "/?q"},
		{"GET", "https://a.example/p", "a.example", "https://a.example/p", "a.example", "/p"},
		/* CONNECT */
		{"CONNECT", "a.example:443", "a.example:443", NULL, "a.example:443", ""},
		{"CONNECT", "a.example:22", "a.example", NULL, "a.example:22", ""},
		{"CONNECT", "[2001:db8::1]:443", NULL, NULL, "[2001:db8::1]:443", ""},
		/* ourselves */
		{"GET", "/health", "proxy", NULL, "", "/health"},
		{"GET", "/", "proxy", NULL, "", "/"},
		{"GET", "/httpsx://a.example/", "proxy", NULL, "", "/httpsx://a.example/"},
		{"OPTIONS", "*", "proxy", NULL, "", "*"},
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct target t;
		struct error err;
		char authority[TARGET_AUTHORITY_MAX] = "";
		if (!read_target(rows[i].method, rows[i].line, rows[i].host, rows[i].url, &t, &err))
			fail_msg("%s %s: %s", rows[i].method, rows[i].line, err.text);
		if (t.kind != TARGET_SELF)
			target_authority(&t, authority);
		assert_string_equal(authority, rows[i].authority);
		if (!span_is(t.path, span_of(rows[i].path)))
			fail_msg("path %.*s instead of %s", SPAN_ARG(t.path), rows[i].path);
		assert_int_equal(t.kind == TARGET_TUNNEL, rows[i].method[0] == 'C');
		target_free(&t);
	}
}

static void test_bad(void **state)
{
	(void)state;
	static const struct {
		const char *method, *line, *host, *url;
	} rows[] = {
		/* clang-format off */
		{"GET", "/https:a.example/", "proxy", NULL},
		{"GET", "/https://", "proxy", NULL},
		{"GET", "/https:///p", "proxy", NULL},
		{"GET", "/https://:443/p", "proxy", NULL},
		{"GET", "/https://?q", "proxy", NULL},
		{"GET", "/https://u@a.example/", "proxy", NULL},
		{"GET", "/https://u:p@a.example/", "proxy", NULL},
		{"GET", "/https://a.example@b.example/", "proxy", NULL},
		{"GET", "/https://a.example\\@b.example/", "proxy", NULL},
		{"GET", "/https://a.example\\b/", "proxy", NULL},
		{"GET", "/https://a.example:0/", "proxy", NULL},
		{"GET", "/https://a.example:65536/", "proxy", NULL},
		{"GET", "/https://a.example:84616/", "proxy", NULL},
		{"GET", "/https://a.example:4294967739/", "proxy", NULL},
		{"GET", "/https://a.example:80x/", "proxy", NULL},
		{"GET", "/https://a.example:x/", "proxy", NULL},
		{"GET", "/https://a.example:/", "proxy", NULL},
		{"GET", "/https://a.example:-1/", "proxy", NULL},
		{"GET", "/https://a.example:+443/", "proxy", NULL},
		{"GET", "/https://a.example:443:443/", "proxy", NULL},
		{"GET", "/https://a%2eexample/", "proxy", NULL},
		{"GET", "/https://a.example%2fp/", "proxy", NULL},
		{"GET", "/https://a..example/", "proxy", NULL},
		{"GET", "/https://[2001:db8::1/", "proxy", NULL},
		{"GET", "/https://[2001:db8::1]x/", "proxy", NULL},
		{"GET", "/https://[2001:db8::1]443/", "proxy", NULL},
		{"GET", "/https://2001:db8::1/", "proxy", NULL},
		{"GET", "/https://[fe80::1%25eth0]/", "proxy", NULL},
		{"GET", "https:/a.example/", "a.example", NULL},
		{"GET", "https:a.example/", "a.example", NULL},
		{"GET", "https://a.example/", "b.example", NULL},
		{"GET", "https://a.example/", "a.example:80", NULL},
		{"GET", "https://a.example:8443/", "a.example", NULL},
		{"GET", "http://a.example/", "a.example:443", NULL},
		{"GET", "https://u@a.example/", "a.example", NULL},
		{"GET", "ftp://a.example/", "a.example", NULL},
		{"GET", "a.example:443", "a.example", NULL},
		{"GET", "x", "proxy", NULL},
		{"GET", "*", "proxy", NULL},
		{"GET", "/", "proxy", "a.example"},
		{"GET", "/", "proxy", ""},
		{"GET", "/", "proxy", "https:/a.example/"},
		{"GET", "/", "proxy", "/https://a.example/"},
		{"GET", "/", "proxy", "ftp://a.example/"},
		{"GET", "/", "proxy", "https://a.example/#f"},
		{"GET", "/", "proxy", "https://a.example/a b"},
		{"GET", "/", "proxy", "https://a.example/, https://b.example/"},
		{"GET", "/https://a.example/", "proxy", "https://b.example/"},
		{"GET", "/https://a.example/", "proxy", "https://a.example/x"},
		{"GET", "/https://a.example/", "proxy", "http://a.example:443/"},
		{"GET", "/https://a.example?q", "proxy", "https://a.example?r"},
		{"GET", "https://a.example/", "a.example", "https://a.example:444/"},
		{"GET", "https://a.example/", "b.example", "https://b.example/"},
		{"CONNECT", "a.example", "a.example", NULL},
		{"CONNECT", "a.example:", "a.example", NULL},
		{"CONNECT", ":443", "a.example", NULL},
		{"CONNECT", "a.example:0", "a.example", NULL},
		{"CONNECT", "a.example:65979", "a.example", NULL},
		{"CONNECT", "a.example:443/", "a.example", NULL},
		{"CONNECT", "/https://a.example:443", "proxy", NULL},
		{"CONNECT", "https://a.example:443", "a.example", NULL},
		{"CONNECT", "u@a.example:443", "a.example", NULL},
		{"CONNECT", "*", "a.example", NULL},
		{"CONNECT", "a.example:443", "b.example:443", NULL},
		{"CONNECT", "a.example:443", "a.example:80", NULL},
		{"CONNECT", "a.example:443", "a.example:443", "https://a.example/"},
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct target t;
		struct error err;
		if (read_target(rows[i].method, rows[i].line, rows[i].host, rows[i].url, &t, &err))
			fail_msg("taken: %s %s (%s)", rows[i].method, rows[i].line, rows[i].url);
		if (err.kind != ERR_BAD_REQUEST)
			fail_msg("%s for %s", error_kind_name(err.kind), rows[i].line);
		target_free(&t);
	}
}

static void test_addresses_in_disguise(void **state)
{
	(void)state;
	static const char *const rows[] = {"/https://127.1/", "/https://2130706433/", "/https://0x7f000001/",
					   "/https://0177.0.0.1/", "/https://[::ffff:127.0.0.1]/"};
	for (size_t i = 0; i < countof(rows); i++) {
		struct target t;
		struct error err;
		assert_false(read_target("GET", rows[i], "proxy", NULL, &t, &err));
		assert_int_equal(err.kind, ERR_ADDRESS_DENIED);
		target_free(&t);
	}
}

static void test_two_fields_and_length(void **state)
{
	(void)state;
	struct head h;
	struct target t;
	struct error err;
	char url[102] = "https://a.example/";

	head_init_request(&h, SPAN("GET"), SPAN("/"));
	head_add(&h, SPAN("X-Target-URL"), SPAN("https://a.example/"));
	head_add(&h, SPAN("X-Target-URL"), SPAN("https://a.example/"));
	assert_false(target_of(&h, 100, &t, &err));
	assert_int_equal(err.kind, ERR_BAD_REQUEST);

	memset(url + strlen(url), 'x', 100 - strlen(url));
	assert_true(read_target("GET", "/", "proxy", url, &t, &err));
	url[100] = 'x';
	assert_false(read_target("GET", "/", "proxy", url, &t, &err));
	assert_int_equal(err.kind, ERR_URL_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_addresses_in_disguise),
		cmocka_unit_test(test_two_fields_and_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

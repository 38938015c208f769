/* The four writers on one report, and on one whose every text tries to break out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "demo/report.h"

static struct report r;
static char *text; /* what was written last */
static size_t text_len;

static FILE *opened(void)
{
	free(text);
	return open_memstream(&text, &text_len);
}

static void write_with(void (*fn)(const struct report *report, FILE *out))
{
	FILE *out = opened();
	fn(&r, out);
	fclose(out);
}

static void write_text(bool colour)
{
	FILE *out = opened();
	report_text(&r, colour, out);
	fclose(out);
}

static size_t times(const char *what)
{
	size_t n = 0;
	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static int set_up(void **state)
{
	(void)state;
	r = (struct report){.when = "2026-01-02T03:04:05Z",
			    .version = "1.2.3",
			    .proxy = "http://127.0.0.1:8080",
			    .service = "https://service.test",
			    .health = "ok",
			    .traced = true,
			    .tls = {"TLSv1.3", "TLS1-3-AES-128-GCM-SHA256", "CN=service.test", false},
			    .us = 2500000,
			    .count = 3,
			    .sample_count = 4,
			    .samples = {400, 100, 300, 200},
			    .span_count = 2,
			    .spans = {{0, 1000000}, {50, 1000500}}};
	r.checks[0] = (struct report_check){
		.id = "get",
		.title = "GET",
		.question = "Does it answer?",
		.verdict = VERDICT_PASSED,
		.detail = "200",
		.request = "GET https://service.test/get",
		.status = 200,
		.us = 5000,
		.timed = true,
		.stages =
			{[STAGE_CONNECT] = 100, [STAGE_TUNNEL] = 1250, [STAGE_TLS] = 3000, [STAGE_BODY] = 50},
		.bytes = 67108864,
		.sha256 = "00ff"};
	r.checks[1] = (struct report_check){.id = "denied",
					    .title = "Denied",
					    .question = "Is it refused?",
					    .verdict = VERDICT_FAILED,
					    .detail = "it answered",
					    .hop = HOP_ENCLAVE,
					    .remedy = "Narrow the policy."};
	r.checks[2] = (struct report_check){.id = "row",
					    .title = "Row",
					    .question = "How fast?",
					    .verdict = VERDICT_SKIPPED,
					    .detail = "no service"};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(text);
	text = NULL;
	return 0;
}

static void test_numbers(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {{0, "0 µs"},	  {999, "999 µs"},     {1000, "1.00 ms"},   {9994, "9.99 ms"},
		    {9996, "10.0 ms"},	  {99960, "100 ms"},   {999499, "999 ms"},  {999500, "1.00 s"},
		    {12340000, "12.3 s"}, {99990000, "100 s"}, {120000000, "2 min"}};
	char out[DURATION_MAX];
	(void)state;
	for (size_t i = 0; i < countof(rows); i++)
		assert_string_equal(duration_text(rows[i].us, out), rows[i].text);
	assert_string_equal(size_text(0, out), "0 bytes");
	assert_string_equal(size_text(1023, out), "1023 bytes");
	assert_string_equal(size_text(1536, out), "1.50 KiB");
	assert_string_equal(size_text(67108864, out), "64 MiB");
	assert_int_equal(report_percentile(r.samples, 4, 50), 200);
	assert_int_equal(report_percentile(r.samples, 4, 75), 300);
	assert_int_equal(report_percentile(r.samples, 4, 76), 400);
	assert_int_equal(report_percentile(r.samples, 4, 0), 100);
	assert_int_equal(report_percentile(r.samples, 4, 100), 400);
	assert_int_equal(report_percentile(NULL, 0, 50), 0);
	assert_int_equal(r.samples[0], 400); /* it sorted a copy */
	assert_int_equal(report_number(&r, VERDICT_FAILED), 1);
}

/* ---- each writer says what it has to ---- */

static void test_text(void **state)
{
	(void)state;
	write_text(false);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "  1 of 3 checks passed, 1 failed, 1 skipped in 2.50 s\n"));
	assert_non_null(strstr(text, "connect 100 µs · tunnel 1.25 ms · tls 3.00 ms · body 50 µs"));
	assert_non_null(strstr(text, "where       enclave\n"));
	assert_non_null(strstr(text, "Narrow the policy."));
	assert_non_null(strstr(text, "median 200 µs, 90 % within 400 µs"));
	write_text(true);
	assert_int_equal(times("\033[0m"), times("\033[") - times("\033[0m"));
	r.traced = false;
	write_text(false);
	assert_non_null(strstr(text, "only with the setting trace"));
}

static void test_same_advice_once(void **state)
{
	(void)state;
	r.checks[2] = r.checks[1];
	write_text(false);
	assert_int_equal(times("Narrow the policy."), 1);
	assert_int_equal(times("what to do  as above"), 1);
}

static const json_t *check_of(const json_t *o, size_t i)
{
	return json_array_get(json_object_get(o, "checks"), i);
}

static const char *text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static void test_json(void **state)
{
	(void)state;
	write_with(report_json);
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "schema")), 1);
	const json_t *get = check_of(o, 0), *denied = check_of(o, 1), *row = check_of(o, 2);
	assert_string_equal(text_of(get, "verdict"), "passed");
	assert_true(json_is_null(json_object_get(get, "hop")));
	assert_true(json_is_null(json_object_get(get, "remedy")));
	assert_true(json_number_value(json_object_get(json_object_get(get, "stages_ms"), "tunnel")) == 1.25);
	assert_int_equal(json_object_size(json_object_get(get, "stages_ms")), STAGE_COUNT);
	assert_int_equal(json_integer_value(json_object_get(get, "bytes")), 67108864);
	assert_string_equal(text_of(denied, "hop"), "enclave");
	assert_string_equal(text_of(denied, "remedy"), "Narrow the policy.");
	assert_true(json_is_null(json_object_get(denied, "stages_ms")));
	assert_string_equal(text_of(row, "verdict"), "skipped");
	assert_true(json_number_value(json_object_get(json_object_get(o, "latency"), "p50_ms")) == 0.2);
	assert_int_equal(json_array_size(json_object_get(o, "concurrent_ms")), 2);
	assert_string_equal(text_of(json_object_get(json_object_get(o, "tls"), "enclave"), "subject"),
			    "CN=service.test");
	assert_true(json_is_null(json_object_get(json_object_get(o, "tls"), "client")));
	assert_true(json_is_true(
		json_object_get(json_object_get(json_object_get(o, "tls"), "enclave"), "verified")));
	/* A reader may rely on each check having the same members. */
	assert_int_equal(json_object_size(get), json_object_size(denied));
	assert_int_equal(json_object_size(get), json_object_size(row));
	json_decref(o);
}

static void test_junit(void **state)
{
	(void)state;
	write_with(report_junit);
	assert_non_null(
		strstr(text, " tests=\"3\" failures=\"1\" skipped=\"1\" errors=\"0\" time=\"2.500000\""));
	assert_int_equal(times("<testcase "), 3);
	assert_int_equal(times("</testcase>"), 3);
	assert_non_null(strstr(
		text, "<failure type=\"enclave\" message=\"it answered\">Narrow the policy.</failure>"));
	assert_non_null(strstr(text, "<skipped message=\"no service\"/>"));
}

static void test_html(void **state)
{
	(void)state;
	write_with(report_html);
	assert_non_null(strstr(text, "1 of 3 checks failed"));
	assert_int_equal(times("<details "), 3);
	assert_int_equal(times(" open>"), 1); /* the failure */
	assert_non_null(strstr(text, "class=\"s-tls\""));
	assert_int_equal(times("<svg class=\"plot\""), 2);
	assert_int_equal(times("<circle "), 4);
	assert_int_equal(times("<rect class=\"span\""), 2);
	/* Nothing is loaded and nothing runs. */
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "<link"));
	assert_null(strstr(text, "<img"));
	assert_null(strstr(text, "url("));
	assert_null(strstr(text, "src="));
	assert_null(strstr(text, "href="));
	assert_non_null(strstr(text, "default-src 'none'"));
	assert_non_null(strstr(text, "prefers-color-scheme: dark"));
}

/* Nothing is called checked that was not. */
static void test_unverified(void **state)
{
	(void)state;
	write_with(report_html);
	assert_non_null(strstr(text, "<code>CN=service.test</code>, checked"));
	r.tls.unverified = true;
	write_with(report_html);
	assert_null(strstr(text, "</code>, checked"));
	assert_non_null(strstr(text, "which nobody checked"));
}

static void test_headlines(void **state)
{
	(void)state;
	r.checks[1].verdict = VERDICT_PASSED;
	write_with(report_html);
	assert_non_null(strstr(text, "2 checks passed, 1 did not apply"));
	r.checks[2].verdict = VERDICT_PASSED;
	write_with(report_html);
	assert_non_null(strstr(text, "All 3 checks passed"));
	/* Without measurements their sections are not there, and nothing divides by them. */
	r.sample_count = r.span_count = 0;
	r.checks[0].timed = false;
	write_with(report_html);
	assert_null(strstr(text, "<svg class=\"plot\""));
}

/* ---- texts that try to break out ---- */

#define HOSTILE "<script>alert(1)</script>\"'&]]>-->\033[31m\x01\r\n\xc3\xa4"

static void be_hostile(void)
{
	static const char hostile[] = HOSTILE;
	struct report_check *c = &r.checks[1];
	snprintf(r.proxy, sizeof r.proxy, "%s", hostile);
	snprintf(r.service, sizeof r.service, "%s", hostile);
	snprintf(r.health, sizeof r.health, "%s", hostile);
	snprintf(r.tls.subject, sizeof r.tls.subject, "%s", hostile);
	snprintf(r.tls.cipher, sizeof r.tls.cipher, "%s", hostile);
	snprintf(r.own_tls.protocol, sizeof r.own_tls.protocol, "<b>");
	snprintf(r.own_tls.subject, sizeof r.own_tls.subject, "%s", hostile);
	snprintf(c->detail, sizeof c->detail, "%s", hostile);
	snprintf(c->remedy, sizeof c->remedy, "%s", hostile);
	snprintf(c->request, sizeof c->request, "%s", hostile);
	snprintf(c->sha256, sizeof c->sha256, "%s", hostile);
}

static void test_markup_holds(void **state)
{
	(void)state;
	be_hostile();
	write_with(report_html);
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "alert(1)</"));
	assert_null(strchr(text, '\033'));
	assert_null(strchr(text, '\x01'));
	assert_non_null(strstr(text, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"));
	write_with(report_junit);
	assert_null(strstr(text, "<script"));
	assert_null(strstr(text, "]]>"));
	assert_null(strchr(text, '\x01'));
	assert_null(strchr(text, '\033'));
}

static void test_json_holds(void **state)
{
	(void)state;
	be_hostile();
	write_with(report_json);
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	assert_string_equal(text_of(check_of(o, 1), "detail"), HOSTILE);
	json_decref(o);
	/* What is no UTF-8 has no place in JSON: the member is null, the rest stands. */
	snprintf(r.health, sizeof r.health, "\xff\xfe");
	write_with(report_json);
	o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	assert_true(json_is_null(json_object_get(o, "health")));
	json_decref(o);
}

/* ---- files ---- */

static void test_files(void **state)
{
	static const struct {
		const char *name, *begins;
	} files[] = {
		{"r.txt", "nitroproxy"}, {"r.json", "{"}, {"r.html", "<!doctype html>"}, {"r.xml", "<?xml"}};
	char dir[] = "/tmp/np-report-XXXXXX", path[64], begin[32];
	struct error err;
	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < countof(files); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i].name);
		assert_true(report_path_ok(path, &err));
		assert_true(report_write(&r, path, &err));
		FILE *in = fopen(path, "r");
		assert_non_null(fgets(begin, sizeof begin, in));
		assert_memory_equal(begin, files[i].begins, strlen(files[i].begins));
		fclose(in);
		unlink(path);
	}
	assert_false(report_path_ok("report.pdf", &err));
	assert_non_null(strstr(err.text, ".html"));
	assert_false(report_path_ok("report", &err));
	assert_false(report_write(&r, "/nonexistent/r.txt", &err));
	/* A disk that is full is told, not swallowed. */
	snprintf(path, sizeof path, "%s/full.html", dir);
	assert_int_equal(symlink("/dev/full", path), 0);
	assert_false(report_write(&r, path, &err));
	unlink(path);
	rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers),    TEST(test_text),	     TEST(test_same_advice_once),
		TEST(test_json),       TEST(test_junit),     TEST(test_html),
		TEST(test_unverified), TEST(test_headlines), TEST(test_markup_holds),
		TEST(test_json_holds), TEST(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

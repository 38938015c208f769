/* The log's lines: both forms, what no value can break, levels, the longest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "support/log_file.h"

static void test_logfmt(void **state)
{
	(void)state;
	log_file_open((struct log_options){.level = LOG_INFO, .role = "host"});
	log_write(LOG_INFO, "exchange", LOG_STR("id", "7f"), LOG_INT("status", -200),
		  LOG_INT("least", INT64_MIN), LOG_INT("zero", 0), LOG_UINT("n", UINT64_MAX),
		  LOG_MS("took", 1234567), LOG_MS("short", 7), LOG_BOOL("ok", true), LOG_STR("none", NULL),
		  LOG_STR("empty", ""));
	assert_string_equal(log_file_behind_time(log_file_text(log_file), "time="),
			    " level=info role=host msg=exchange id=7f status=-200 least=-9223372036854775808 "
			    "zero=0 n=18446744073709551615 "
			    "took=1234.567 short=0.007 ok=true empty=\"\"\n");
}

static void test_json(void **state)
{
	(void)state;
	log_file_open((struct log_options){.level = LOG_INFO, .format = LOG_JSON, .role = "enclave"});
	log_write(LOG_WARN, "it broke", LOG_STR("id", "7f"), LOG_INT("status", 502), LOG_BOOL("ok", false));
	log_write(LOG_INFO, "bare");
	char *text = log_file_text(log_file);
	char *second = strchr(text, '\n') + 1;
	assert_string_equal(log_file_behind_time(second, "{\"time\":\""),
			    "\",\"level\":\"info\",\"role\":\"enclave\",\"msg\":\"bare\"}\n");
	*second = '\0';
	assert_string_equal(log_file_behind_time(text, "{\"time\":\""),
			    "\",\"level\":\"warn\",\"role\":\"enclave\",\"msg\":\"it broke\",\"id\":\"7f\","
			    "\"status\":502,\"ok\":false}\n");
}

static void test_error_fields(void **state)
{
	(void)state;
	struct error e;
	error_set_hop(&e, ERR_DNS, HOP_TUNNEL, "no such name");
	log_file_open((struct log_options){.level = LOG_INFO});
	log_write(LOG_ERROR, "failed", LOG_ERR(&e));
	assert_string_equal(log_file_behind_time(log_file_text(log_file), "time="),
			    " level=error msg=failed error=dns hop=tunnel detail=\"no such name\"\n");
}

/* No value can end a line, a field or a quote. */
static void test_injection(void **state)
{
	(void)state;
	static const struct {
		struct span in;
		const char *logfmt, *json;
	} cases[] = {
		{SPAN("a\nlevel=error"), "\"a\\nlevel=error\"", "\"a\\nlevel=error\""},
		{SPAN("a\r\n\tb"), "\"a\\r\\n\\tb\"", "\"a\\r\\n\\tb\""},
		{SPAN("\" x=\""), "\"\\\" x=\\\"\"", "\"\\\" x=\\\"\""},
		{SPAN("back\\"), "\"back\\\\\"", "\"back\\\\\""},
		{SPAN("a=b"), "\"a=b\"", "\"a=b\""},
		{SPAN("\x1b[2J"), "\"\\u001b[2J\"", "\"\\u001b[2J\""},
		{SPAN("\x7f"), "\"\\u007f\"", "\"\\u007f\""},
		{SPAN("nul\0nul"), "\"nul\\u0000nul\"", "\"nul\\u0000nul\""},
		{SPAN("b\xc3\xbc"), "\"b\xc3\xbc\"", "\"b\xc3\xbc\""},
		{SPAN("\xff"), "\"\xef\xbf\xbd\"", "\"\xef\xbf\xbd\""},
		{SPAN("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SPAN("\xc2\x9b"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SPAN("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SPAN("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
		 "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
			char want[200];
			unlink(log_file);
			log_file_open(
				(struct log_options){.level = LOG_INFO, .format = (enum log_format)format});
			log_write(LOG_INFO, "x", LOG_SPAN("v", cases[i].in));
			snprintf(want, sizeof want,
				 format == LOG_JSON ? "\",\"level\":\"info\",\"msg\":\"x\",\"v\":%s}\n"
						    : " level=info msg=x v=%s\n",
				 format == LOG_JSON ? cases[i].json : cases[i].logfmt);
			assert_string_equal(
				log_file_behind_time(log_file_text(log_file),
						     format == LOG_JSON ? "{\"time\":\"" : "time="),
				want);
		}
	}
}

static int evaluated;

static int64_t count_evaluation(void)
{
	return ++evaluated;
}

static void test_levels(void **state)
{
	(void)state;
	log_file_open((struct log_options){.level = LOG_WARN});
	evaluated = 0;
	log_write(LOG_DEBUG, "no", LOG_INT("n", count_evaluation()));
	log_write(LOG_INFO, "no", LOG_INT("n", count_evaluation()));
	assert_int_equal(evaluated, 0);
	log_write(LOG_WARN, "yes", LOG_INT("n", count_evaluation()));
	log_write(LOG_ERROR, "yes", LOG_INT("n", count_evaluation()));
	assert_int_equal(evaluated, 2);
	assert_null(strstr(log_file_text(log_file), "no"));
}

static void test_long_fields(void **state)
{
	(void)state;
	char big[LOG_LINE_MAX * 2];
	memset(big, '"', sizeof big);
	for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
		unlink(log_file);
		log_file_open((struct log_options){.level = LOG_INFO, .format = (enum log_format)format});
		log_write(LOG_INFO, "x", LOG_SPAN("big", ((struct span){big, sizeof big})),
			  LOG_INT("after", 1));
		char *text = log_file_text(log_file);
		assert_null(strstr(text, "big"));
		assert_non_null(strstr(text, format == LOG_JSON ? ",\"after\":1,\"truncated\":true}\n"
								: " after=1 truncated=true\n"));
		/* Every length around the limit: one whole line, no longer than promised. */
		for (size_t n = LOG_LINE_MAX / 2 - 200; n < LOG_LINE_MAX / 2 + 10; n++) {
			unlink(log_file);
			assert_true(log_reopen(NULL));
			log_write(LOG_INFO, "x", LOG_SPAN("big", ((struct span){big, n})));
			text = log_file_text(log_file);
			size_t len = strlen(text);
			assert_true(len <= LOG_LINE_MAX);
			assert_ptr_equal(strchr(text, '\n'), text + len - 1);
			assert_true((strstr(text, "truncated") != NULL) == (strstr(text, "big") == NULL));
		}
	}
	assert_int_equal(log_dropped(), 0);
}

static void test_errno_kept(void **state)
{
	(void)state;
	log_file_open((struct log_options){.level = LOG_INFO});
	errno = ENOTTY;
	log_write(LOG_INFO, "x");
	assert_int_equal(errno, ENOTTY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, log_file_set_up, log_file_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_logfmt), TEST(test_json),	   TEST(test_error_fields), TEST(test_injection),
		TEST(test_levels), TEST(test_long_fields), TEST(test_errno_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

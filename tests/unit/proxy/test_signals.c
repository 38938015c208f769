/* What the host lets through of what an enclave says, and two expositions made one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/metrics.h"
#include "proxy/signals.h"

#define STAMP "2026-01-02T03:04:05.678Z"

static void test_lines(void **state)
{
	(void)state;
	static const char *const good[] = {"time=" STAMP " level=info role=enclave msg=start version=1",
					   "{\"time\":\"" STAMP
					   "\",\"level\":\"warn\",\"role\":\"enclave\",\"msg\":\"x\"}"};
	static const char *const bad[] = {
		"",
		"app: a secret",
		"time=" STAMP " level=info role=host msg=start",
		"time=" STAMP " level=info msg=start role=enclave",
		"time=2026-01-02T03:04:05.67xZ level=info role=enclave msg=x",
		"time=" STAMP " level= role=enclave msg=x",
		"time=" STAMP " level=info role=enclave msg=x \x1b[2J",
		"time=" STAMP " level=info role=enclave msg=x\rtime",
		"{\"time\":\"" STAMP "\",\"level\":\"warn\",\"role\":\"enclave\",\"msg\":\"x\"",
		"{\"time\":\"" STAMP "\",\"level\":\"warn\",\"role\":\"host\",\"msg\":\"x\"}"};
	for (size_t i = 0; i < countof(good); i++)
		assert_true(signals_line_good(span_of(good[i])));
	for (size_t i = 0; i < countof(bad); i++)
		assert_false(signals_line_good(span_of(bad[i])));
}

static void test_metrics(void **state)
{
	(void)state;
	assert_true(signals_metrics_good(SPAN("# HELP nitroproxy_a A.\n# TYPE nitroproxy_a gauge\n"
					      "nitroproxy_a{role=\"enclave\",x=\"y\"} 1\n")));
	static const char *const bad[] = {"nitroproxy_a{role=\"host\"} 1\n",
					  "nitroproxy_a 1\n",
					  "up{role=\"enclave\"} 1\n",
					  "# EVIL\n",
					  "\n",
					  "# HELP up x\n",
					  "nitroproxy_a{role=\"enclave\"} 1\r\n"};
	for (size_t i = 0; i < countof(bad); i++)
		assert_false(signals_metrics_good(span_of(bad[i])));
}

static void merged(const char *first, const char *second, const char *want)
{
	struct buf out;
	buf_init(&out, 4096);
	metrics_merge(span_of(first), span_of(second), &out);
	assert_string_equal(buf_text(&out), want);
	buf_free(&out);
}

static void test_merge(void **state)
{
	(void)state;
	static const char a1[] = "# HELP a A.\n# TYPE a gauge\na{r=\"1\"} 1\n",
			  a2[] = "# HELP a A.\n# TYPE a gauge\n"
				 "a{r=\"2\"} 2\na{r=\"2b\"} 3\n";
	static const char b1[] = "# HELP b B.\n# TYPE b gauge\nb 1\n",
			  c2[] = "# HELP c C.\n# TYPE c gauge\nc 2\n";
	char first[256], second[256];
	merged(a1, "", a1);
	merged("", a1, a1);
	strcat(strcpy(first, a1), b1);
	strcat(strcpy(second, c2), a2);
	merged(first, second,
	       "# HELP a A.\n# TYPE a gauge\na{r=\"1\"} 1\na{r=\"2\"} 2\na{r=\"2b\"} 3\n"
	       "# HELP b B.\n# TYPE b gauge\nb 1\n"
	       "# HELP c C.\n# TYPE c gauge\nc 2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_metrics),
					   cmocka_unit_test(test_merge)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

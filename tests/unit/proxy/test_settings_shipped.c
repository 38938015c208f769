/* What is shipped beside the settings says the same as they do: config/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/mem.h"
#include "proxy/settings_table.h"
#include "support/load_settings.h"

static const char *shipped(const char *name)
{
	static char path[512];
	const char *tests = getenv("NP_TESTS");
	snprintf(path, sizeof path, "%s/../config/%s", tests ? tests : "tests", name);
	return path;
}

static char *slurp(const char *path)
{
	size_t n;
	char *text = config_slurp(path, &n, &err);
	if (!text)
		fail_msg("%s", err.text);
	return text;
}

/* config.json says that it holds the defaults. */
static void test_shipped_config(void **state)
{
	(void)state;
	char args[600];
	assert_int_equal(load_host("host --print-config=json", ""), SETTINGS_PRINTED);
	char *defaults = mem_text(printed);
	snprintf(args, sizeof args, "host --config %s --print-config=json", shipped("config.json"));
	assert_int_equal(load_host(args, ""), SETTINGS_PRINTED);
	assert_string_equal(printed, defaults);
	free(defaults);
	assert_int_equal(opts_source(&s.opts, "enclave.cid"), OPT_FILE);
	assert_int_equal(opts_source(&s.opts, "demo.concurrent_requests"), OPT_FILE);

	snprintf(args, sizeof args, "enclave --config %s", shipped("enclave.json"));
	assert_int_equal(load(CMD_ENCLAVE, args, ""), SETTINGS_RUN);
	assert_string_equal(s.enclave.http_listen, "tcp:127.0.0.1:8080");
	assert_int_equal(s.insecure.count, 0);
}

/* Each name that .env.example shows exists and, uncommented, gives the default. */
static void test_shipped_env(void **state)
{
	(void)state;
	assert_int_equal(load_host("host --print-config=json", ""), SETTINGS_PRINTED);
	char *defaults = mem_text(printed), *text = slurp(shipped(".env.example"));
	FILE *out = fopen(file, "w");
	int names = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		bool setting = line[0] == '#' && line[1] >= 'A' && line[1] <= 'Z' && strchr(line, '=');
		names += setting;
		if (setting)
			fprintf(out, "%s\n", line + 1);
	}
	fclose(out);
	free(text);
	assert_true(names > 10);
	char args[128];
	snprintf(args, sizeof args, "host --env-file %s --print-config=json", file);
	if (load_host(args, "") != SETTINGS_PRINTED)
		fail_msg("%s", err.text);
	assert_string_equal(printed, defaults);
	assert_int_equal(opts_source(&s.opts, "enclave.cid"), OPT_ENV);
	free(defaults);
}

#define BEGIN "<!-- settings -->\n"
#define END   "<!-- /settings -->\n"

/* The tables of config/README.md are what the table gives. NP_UPDATE_DOCS=1 writes them. */
static void test_readme(void **state)
{
	(void)state;
	char *want = NULL, *text = slurp(shipped("README.md"));
	size_t n;
	FILE *out = open_memstream(&want, &n);
	settings_markdown(out);
	fclose(out);
	char *begin = strstr(text, BEGIN), *end = strstr(text, END);
	assert_true(begin && end && begin < end);
	begin += strlen(BEGIN);
	if (getenv("NP_UPDATE_DOCS")) {
		out = fopen(shipped("README.md"), "w");
		fprintf(out, "%.*s%s%s", (int)(begin - text), text, want, end);
		fclose(out);
	} else {
		*end = '\0';
		assert_string_equal(begin, want);
	}
	free(want);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, settings_set_up, settings_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shipped_config),
		TEST(test_shipped_env),
		TEST(test_readme),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

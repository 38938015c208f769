/* Options from a command line and from the environment, amounts, and how options are printed; exact texts. */
#include <stdlib.h>
#include <unistd.h>

#include "unit/base/paint.h"

static void test_amounts(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t ms;
	} times[] = {
		{"1ms", 1},	 {"250ms", 250},    {"1s", 1000},    {"1.5s", 1500},
		{"0.001", 1},	 {"30", 30000},	    {"5m", 300000},  {"0.5h", 1800000},
		{"1h", 3600000}, {"24h", 86400000}, {"10 s", 10000}, {"1.250000s", 1250},
	};
	static const char *const bad_times[] = {"",
						"s",
						"-1s",
						"+1s",
						"1..5s",
						"1.s",
						".5s",
						"1s ",
						" 1s",
						"1ss",
						"0.5ms",
						"0s",
						"25h",
						"1e3",
						"0x10",
						"inf",
						"1,5s",
						"9007199254740993s",
						"99999999999999999999s",
						"1.1234567891s"};
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{"0", 0},	{"1", 1},	    {"7B", 7},	       {"1K", 1024},	{"1kb", 1024},
		{"1KiB", 1024}, {"1.5MB", 1572864}, {"3 MB", 3145728}, {"1G", 1 << 30},
	};
	for (size_t i = 0; i < countof(times); i++) {
		assert_true(opts_set(&o, "box.retry_delay", times[i].text, OPT_ENV, &err));
		assert_int_equal(t.box.delay, times[i].ms);
	}
	t.box.delay = 77;
	for (size_t i = 0; i < countof(bad_times); i++) {
		assert_false(opts_set(&o, "box.retry_delay", bad_times[i], OPT_ENV, &err));
		assert_int_equal(t.box.delay, 77);
	}
	for (size_t i = 0; i < countof(sizes); i++) {
		assert_true(opts_set(&o, "box.size", sizes[i].text, OPT_ENV, &err));
		assert_int_equal(t.box.size, sizes[i].bytes);
	}
	assert_false(opts_set(&o, "box.size", "10ms", OPT_ENV, &err));
}

static bool args(unsigned command, int argc, char *const *argv)
{
	return opts_read_args(&o, argc, argv, command, &err);
}
#define ARGS(command, ...)                                                                                   \
	args(command, (int)countof(((const char *[]){"paint", __VA_ARGS__})),                                \
	     (char *const *)(uintptr_t)(const char *[]){"paint", __VA_ARGS__, NULL})

static void test_args(void **state)
{
	(void)state;
	assert_true(ARGS(1, "--port", "81", "--box-on", "--box-size=1KB", "-c", "file", "--print=red",
			 "--item", "x", "--item", "y,z", "--box-words=", "--box-retry-delay", "2s"));
	assert_int_equal(t.box.port, 81);
	assert_true(t.box.on);
	assert_int_equal(t.box.size, 1024);
	assert_list(&t.box.items, "x|y|z");
	assert_list(&t.box.words, "");
	assert_int_equal(t.box.delay, 2000);
	assert_int_equal(opts_source(&o, "box.port"), OPT_ARGS);
	assert_true(ARGS(1, "--no-box-on", "-p", "82", "--box-port=83"));
	assert_false(t.box.on);
	assert_int_equal(t.box.port, 83);
	assert_true(ARGS(1, "--box-on=yes"));
	assert_true(t.box.on);
	assert_true(ARGS(1, "--box-token=")); /* "" unsets */
}

static void test_args_errors(void **state)
{
	(void)state;
#define BAD(text_, ...)                                                                                      \
	do {                                                                                                 \
		err.text[0] = '\0';                                                                          \
		assert_false(ARGS(1, __VA_ARGS__));                                                          \
		assert_string_equal(err.text, text_);                                                        \
	} while (0)
	BAD("unknown option \"--prt\"; did you mean \"--port\"?", "--prt", "1");
	BAD("unknown option \"--qqqqqqqqq\"", "--qqqqqqqqq");
	BAD("unknown option \"-x\"", "-x");
	BAD("unknown option \"-px\"", "-px");
	BAD("unexpected argument \"stray\"", "stray");
	BAD("unexpected argument \"-\"", "-");
	BAD("unexpected argument \"--\"", "--");
	BAD("unexpected argument \"\"", "");
	BAD("unexpected argument \"true\"", "--box-on", "true");
	BAD("--port: needs a value, --port N", "--port");
	BAD("--config: needs a value, --config FILE", "--config");
	BAD("--port: \"x\" is not a number from 1 to 65535", "--port=x");
	BAD("-p: \"\" is not a number from 1 to 65535", "-p", "");
	BAD("--box-on: \"maybe\" is not true or false", "--box-on=maybe");
	BAD("--help: takes no value", "--help=x");
	BAD("--print: \"x\" is not red, green or blue", "--print=x");
	BAD("--name is an option of \"wash\", not of \"paint\"", "--name", "x");
	BAD("unknown option \"--no-port\"; did you mean \"--box-port\"?", "--no-port");
	BAD("unknown option \"--no-box-on\"; did you mean \"--box-on\"?", "--no-box-on=true");
	BAD("--item: \"B\" is not valid: small letters only", "--item", "a", "--item", "B");
	BAD("--item: \"\" is not valid: not empty", "--item", "a,,b");
}

static void test_action(void **state)
{
	(void)state;
	char *const none[] = {NULL};
	char *const env[] = {(char[]){"NP_CONFIG=from-env"}, (char[]){"NP_HELP=1"}, NULL};
#define ACTION(envp, name, ...)                                                                              \
	opts_action(&table, (int)countof(((const char *[]){"paint", __VA_ARGS__})),                          \
		    (char *const *)(uintptr_t)(const char *[]){"paint", __VA_ARGS__, NULL}, envp, 1, name)
	assert_string_equal(ACTION(none, "help", "--nonsense", "-h"), "");
	assert_string_equal(ACTION(none, "print", "--print"), "");
	assert_string_equal(ACTION(none, "print", "--print=red"), "red");
	assert_string_equal(ACTION(none, "config", "--port", "--config", "-c", "x"),
			    "x"); /* --port took a word */
	assert_null(ACTION(none, "help", "--port", "--help"));
	assert_null(ACTION(none, "config", "--port=1"));
	assert_string_equal(ACTION(env, "config", "--port=1"), "from-env");
	assert_string_equal(ACTION(env, "config", "--config=x"), "x");
	assert_null(ACTION(env, "help", "--port=1")); /* the environment cannot ask for help */
}

static void test_environment(void **state)
{
	(void)state;
	struct text_list unknown = {NULL, 0};
	char *const env[] = {
		(char[]){"PATH=/bin"},	       (char[]){"PORT=81"},	 (char[]){"NP_BOX_COLOUR=blue"},
		(char[]){"NP_BOX_ITEMS=p, q"}, (char[]){"NP_BOX_ON=ON"}, (char[]){"NP_BOX_SIZE="},
		(char[]){"NP_BOX_PROT=1"},     (char[]){"NP_CONFIG=x"},	 NULL};
	assert_true(opts_read_env(&o, env, &unknown, &err));
	assert_int_equal(t.box.port, 81);
	assert_int_equal(t.box.colour, BLUE);
	assert_true(t.box.on);
	assert_int_equal(t.box.size, 10 << 20);
	assert_list(&t.box.items, "p|q");
	assert_list(&unknown, "NP_BOX_PROT");
	text_list_free(&unknown);

	char *const both[] = {(char[]){"PORT=81"}, (char[]){"NP_BOX_PORT=82"}, NULL};
	assert_true(opts_read_env(&o, both, &unknown, &err));
	assert_int_equal(t.box.port, 82);
	char *const bad[] = {(char[]){"PORT=eighty"}, NULL};
	assert_false(opts_read_env(&o, bad, &unknown, &err));
	assert_string_equal(err.text, "environment: PORT: \"eighty\" is not a number from 1 to 65535");
	char *const secret[] = {(char[]){"NP_BOX_TOKEN=Hush"}, NULL};
	assert_false(opts_read_env(&o, secret, &unknown, &err));
	assert_string_equal(err.text,
			    "environment: NP_BOX_TOKEN: the value is not valid: small letters only");
}

static bool env_file(const char *text)
{
	char name[] = "/tmp/test_env.XXXXXX";
	int fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	bool ok = opts_read_env_file(&o, name, &err);
	unlink(name);
	char *at = strstr(err.text, name);
	if (at)
		memmove(at, at + strlen(name), strlen(at + strlen(name)) + 1);
	return ok;
}

static void test_env_file(void **state)
{
	(void)state;
	assert_true(env_file("# comment\n\n  export PORT = \"81\"\r\nNP_BOX_NAME='abc'\nOTHER=x\nNP_BOX_ON=\n"
			     "NP_BOX_COLOUR=blue"));
	assert_int_equal(t.box.port, 81);
	assert_string_equal(t.box.name, "abc");
	assert_int_equal(t.box.colour, BLUE);
	assert_false(t.box.on);
	assert_int_equal(opts_source(&o, "box.port"), OPT_ENV);

	assert_false(env_file("\nPORT=0\n"));
	assert_string_equal(err.text, ":2: PORT: \"0\" is not a number from 1 to 65535");
	assert_false(env_file("NP_BOX_PROT=1\n"));
	assert_string_equal(err.text, ":1: unknown name \"NP_BOX_PROT\"; did you mean \"NP_BOX_PORT\"?");
	assert_false(env_file("what is this\n"));
	assert_string_equal(err.text, ":1: not NAME=VALUE");
	assert_false(env_file("A B=1\n"));
	assert_string_equal(err.text, ":1: not NAME=VALUE");
	assert_false(env_file("=1\n"));
	assert_string_equal(err.text, ":1: not NAME=VALUE");
	assert_false(env_file("PORT=\"81\n"));
	assert_string_equal(err.text, ":1: PORT: the quote is not closed");
}

static char *printed(void (*print)(FILE *out))
{
	static char *text; /* not on the stack, or gcc 12 takes what is returned for a dangling pointer */
	size_t n;
	FILE *out = open_memstream(&text, &n);
	print(out);
	fclose(out);
	return text;
}

static void print_plain(FILE *out)
{
	opts_print(&o, out, OPTS_JSON);
}

static void print_commented(FILE *out)
{
	opts_print(&o, out, OPTS_COMMENTED);
}

static void test_print(void **state)
{
	(void)state;
	assert_true(json("{\"box\": {\"name\": \"abc\", \"token\": \"hush\", \"size\": 1536, \"words\": "
			 "[\"red\", \"blue\"]}}"));
	assert_true(ARGS(1, "--port=81"));
	char *text = printed(print_plain);
	assert_string_equal(text, "{\n"
				  "\t\"top\": 7,\n"
				  "\t\"box\": {\n"
				  "\t\t\"port\": 81,\n"
				  "\t\t\"on\": false,\n"
				  "\t\t\"size\": \"1536B\",\n"
				  "\t\t\"retry_delay\": \"250ms\",\n"
				  "\t\t\"colour\": \"green\",\n"
				  "\t\t\"name\": \"abc\",\n"
				  "\t\t\"token\": \"(secret)\",\n"
				  "\t\t\"items\": [\"a\", \"b\"],\n"
				  "\t\t\"words\": [\"red\", \"blue\"]\n"
				  "\t}\n"
				  "}\n");
	free(text);
	text = printed(print_commented);
	assert_non_null(strstr(text, "\"port\": 81, // command line\n"));
	assert_non_null(strstr(text, "\"name\": \"abc\", // file\n"));
	assert_non_null(strstr(text, "\"words\": [\"red\", \"blue\"] // file\n"));
	assert_null(strstr(text, "hush"));
	/* What is printed can be read again. */
	char *secret = strstr(text, "(secret)");
	memcpy(secret, "abcdefgh", 8);
	assert_true(json(text));
	free(text);
}

static void print_help(FILE *out)
{
	opts_help(&table, 1, out);
}

static void test_help(void **state)
{
	(void)state;
	char *text = printed(print_help);
	assert_non_null(strstr(
		text, "  -p, --port, --box-port N\n"
		      "          A port; a number from 1 to 65535 [default: 80] [environment: PORT]\n"));
	assert_non_null(strstr(text, "  -c, --config FILE\n          A file [environment: NP_CONFIG]\n"));
	assert_non_null(strstr(text, "  --box-on[=BOOL]\n"));
	assert_null(strstr(text, "--name"));
	for (struct span rest = span_of(text), line; span_cut(&rest, '\n', &line);)
		assert_true(line.n <= 90);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_amounts),	TEST(test_args),     TEST(test_args_errors), TEST(test_action),
		TEST(test_environment), TEST(test_env_file), TEST(test_print),	     TEST(test_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The machinery of options on a small table of the test's own: every type, every source, exact error texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/config.h"
#include "base/opt.h"
#include "base/span.h"

enum colour { RED, GREEN, BLUE };

struct target {
	struct {
		uint32_t port;
		bool on;
		uint64_t size, delay;
		enum colour colour;
		const char *name, *token;
		struct text_list items, words;
	} box;
	uint32_t top;
};

static bool check_lower(const char *text, struct error *err)
{
	for (const char *p = text; *p; p++)
		if (*p < 'a' || *p > 'z')
			return error_set(err, ERR_CONFIG, "small letters only");
	return text[0] || error_set(err, ERR_CONFIG, "not empty");
}

static const struct opt_choice colours[] = {
	{"red", RED}, {"scarlet", RED}, {"green", GREEN}, {"blue", BLUE}, {NULL, 0}};
static const struct opt_choice commands[] = {{"paint", 1}, {"wash", 2}, {NULL, 0}};

#define AT(field, type) OPT_FIELD(struct target, box.field, type)
static const struct opt rows[] = {
	{"config", OPT_ACTION, .commands = 3, .letter = 'c', .arg = "FILE", .help = "A file"},
	{"print", OPT_ACTION, .commands = 3, .choices = colours, .help = "Prints"},
	{"help", OPT_ACTION, .commands = 3, .letter = 'h', .help = "Helps"},
	{"top", OPT_UINT, OPT_FIELD(struct target, top, uint32_t), "7", .min = 1, .max = 9, .commands = 3,
	 .help = "A top"},
	{"box.port", OPT_UINT, AT(port, uint32_t), "80", .min = 1, .max = 65535, .commands = 3,
	 .flag = "port", .letter = 'p', .env = "PORT", .help = "A port"},
	{"box.on", OPT_BOOL, AT(on, bool), "false", .commands = 1, .help = "A switch"},
	{"box.size", OPT_SIZE, AT(size, uint64_t), "10MB", .max = UINT64_C(1) << 40, .commands = 1,
	 .help = "A size"},
	{"box.retry_delay", OPT_DURATION, AT(delay, uint64_t), "250ms", .min = 1, .max = 86400000,
	 .commands = 1, .help = "A time"},
	{"box.colour", OPT_CHOICE, AT(colour, enum colour), "green", .choices = colours, .commands = 1,
	 .help = "A colour"},
	{"box.name", OPT_TEXT, AT(name, const char *), "", .check = check_lower, .commands = 2,
	 .flag = "name", .help = "A name"},
	{"box.token", OPT_TEXT, AT(token, const char *), "", .check = check_lower, .commands = 1,
	 .flags = OPT_SECRET, .help = "A token"},
	{"box.items", OPT_LIST, AT(items, struct text_list), "a, b", .check = check_lower, .commands = 1,
	 .flag = "item", .help = "Items"},
	{"box.words", OPT_LIST, AT(words, struct text_list), "", .choices = colours, .commands = 1,
	 .help = "Words"},
};
static const struct opt_table table = {rows, countof(rows), "NP_", commands};

static struct target t;
static struct opts o;
static struct error err;

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	opts_init(&o, &table, &t);
	err.text[0] = '\0';
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	opts_free(&o);
	return 0;
}

static bool json(const char *text)
{
	return opts_read_json(&o, "f.json", text, strlen(text), &err);
}

static void assert_list(const struct text_list *list, const char *joined)
{
	char got[256] = "";
	for (size_t i = 0; i < list->count; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? "|" : "", list->items[i]);
	assert_string_equal(got, joined);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(t.box.port, 80);
	assert_false(t.box.on);
	assert_int_equal(t.box.size, 10 << 20);
	assert_int_equal(t.box.delay, 250);
	assert_int_equal(t.box.colour, GREEN);
	assert_string_equal(t.box.name, "");
	assert_list(&t.box.items, "a|b");
	assert_list(&t.box.words, "");
	assert_int_equal(opts_source(&o, "box.port"), OPT_DEFAULT);
}

static void test_json(void **state)
{
	(void)state;
	assert_true(
		json("// a comment with \"quotes\" {\n"
		     "{ // {\n"
		     "  \"top\": 3,\n"
		     "  \"box\": { \"port\": 443, \"on\": true, \"size\": \"2KB\", \"retry_delay\": 1.5,\n"
		     "    \"colour\": \"Scarlet\", \"token\": null,\n"
		     "    \"items\": [\"x\"], // the last\n"
		     "    \"words\": \"blue\" }\n"
		     "} // end"));
	assert_int_equal(t.top, 3);
	assert_int_equal(t.box.port, 443);
	assert_true(t.box.on);
	assert_int_equal(t.box.size, 2048);
	assert_int_equal(t.box.delay, 1500);
	assert_int_equal(t.box.colour, RED);
	assert_list(&t.box.items, "x");
	assert_list(&t.box.words, "blue");
	assert_int_equal(opts_source(&o, "box.items"), OPT_FILE);
	assert_int_equal(opts_source(&o, "box.token"), OPT_DEFAULT);
}

static void test_comment_in_text(void **state)
{
	(void)state;
	/* "//" within quotes, behind an escaped quote, and behind an escaped backslash. */
	assert_false(json("{\"box\": {\"name\": \"a//b\"}}"));
	assert_string_equal(err.text, "f.json: box.name: \"a//b\" is not valid: small letters only");
	assert_false(json("{\"box\": {\"name\": \"a\\\"//b\"}}"));
	assert_string_equal(err.text, "f.json: box.name: \"a\\\"//b\" is not valid: small letters only");
	assert_true(json("{\"box\": {\"port\": 5 /// \"\n}}//"));
	assert_true(json("\xef\xbb\xbf{\"top\": 4}"));
	assert_int_equal(t.top, 4);
}

static void test_json_errors(void **state)
{
	(void)state;
	static const struct {
		const char *in, *text;
	} cases[] = {
		{"", "f.json:1:0: '[' or '{' expected near end of file"},
		{"[]", "f.json: the file must hold one object, {..}"},
		{"{\"top\": 1} x", "f.json:1:12: end of file expected near 'x'"},
		{"{ // c\n  \"top\": 1,\n  \"top\": 2 }",
		 "f.json:3:7: duplicate object key near '\\\"top\\\"'"},
		{"{\n\n  \"top\" 1 }", "f.json:3:9: ':' expected near '1'"},
		{"{\"tpo\": 1}", "f.json: unknown key \"tpo\"; did you mean \"top\"?"},
		{"{\"box\": {\"prt\": 1}}", "f.json: unknown key \"box.prt\"; did you mean \"box.port\"?"},
		{"{\"zzzzzz\": 1}", "f.json: unknown key \"zzzzzz\""},
		{"{\"zzzzzz\": {}}", "f.json: unknown key \"zzzzzz\""},
		{"{\"box.port\": 1}", "f.json: unknown key \"box.port\""},
		{"{\"box\": {\"a\\nb\": 1}}", "f.json: unknown key box > \"a\\nb\""},
		{"{\"config\": \"x\"}", "f.json: unknown key \"config\""},
		{"{\"box\": 5}", "f.json: box: is a number, must be a section, {..}"},
		{"{\"box\": {\"port\": {\"x\": 1}}}", "f.json: box.port: is a section, must be a number"},
		{"{\"box\": {\"port\": \"80\"}}", "f.json: box.port: is a text, must be a number"},
		{"{\"box\": {\"port\": true}}", "f.json: box.port: is true or false, must be a number"},
		{"{\"box\": {\"port\": 0}}", "f.json: box.port: \"0\" is not a number from 1 to 65535"},
		{"{\"box\": {\"port\": 65536}}",
		 "f.json: box.port: \"65536\" is not a number from 1 to 65535"},
		{"{\"box\": {\"port\": -1}}", "f.json: box.port: \"-1\" is not a number from 1 to 65535"},
		{"{\"box\": {\"port\": 4294967376}}",
		 "f.json: box.port: \"4294967376\" is not a number from 1 to 65535"},
		{"{\"box\": {\"port\": 80.5}}", "f.json: box.port: \"80.5\" is not a number from 1 to 65535"},
		{"{\"box\": {\"port\": 99999999999999999999}}",
		 "f.json:1:37: too big integer near '99999999999999999999'"},
		{"{\"box\": {\"on\": 1}}", "f.json: box.on: is a number, must be true or false"},
		{"{\"box\": {\"on\": \"true\"}}", "f.json: box.on: is a text, must be true or false"},
		{"{\"box\": {\"size\": \"10XB\"}}",
		 "f.json: box.size: \"10XB\" is not a size from 0 to 1024GB"},
		{"{\"box\": {\"size\": \"\"}}", "f.json: box.size: \"\" is not a size from 0 to 1024GB"},
		{"{\"box\": {\"size\": \"2000GB\"}}",
		 "f.json: box.size: \"2000GB\" is not a size from 0 to 1024GB"},
		{"{\"box\": {\"size\": true}}",
		 "f.json: box.size: is true or false, must be a number of bytes or a text like \"10MB\""},
		{"{\"box\": {\"retry_delay\": \"5 parsecs\"}}",
		 "f.json: box.retry_delay: \"5 parsecs\" is not a time from 1ms to 24h"},
		{"{\"box\": {\"retry_delay\": 0}}",
		 "f.json: box.retry_delay: \"0\" is not a time from 1ms to 24h"},
		{"{\"box\": {\"retry_delay\": 0.0001}}",
		 "f.json: box.retry_delay: \"0.0001\" is not a time from 1ms to 24h"},
		{"{\"box\": {\"colour\": \"mauve\"}}",
		 "f.json: box.colour: \"mauve\" is not red, green or blue"},
		{"{\"box\": {\"colour\": 1}}", "f.json: box.colour: is a number, must be a text"},
		{"{\"box\": {\"items\": [\"a\", \"B\"]}}",
		 "f.json: box.items: \"B\" is not valid: small letters only"},
		{"{\"box\": {\"items\": [\"a\", [\"b\"]]}}",
		 "f.json: box.items[1]: a list holds texts or numbers"},
		{"{\"box\": {\"items\": [true]}}", "f.json: box.items[0]: a list holds texts or numbers"},
		{"{\"box\": {\"items\": true}}",
		 "f.json: box.items: is true or false, must be a list of texts"},
		{"{\"box\": {\"words\": [\"red\", \"pink\"]}}",
		 "f.json: box.words: \"pink\" is not red, green or blue"},
		{"{\"box\": {\"name\": \"\\u001b[2J\"}}",
		 "f.json: box.name: \"\\u001b[2J\" is not valid: small letters only"},
		{"{\"box\": {\"token\": \"SECRET\"}}",
		 "f.json: box.token: the value is not valid: small letters only"},
		{"{\"box\": {\"name\": "
		 "\"Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaaaaaaa\"}}",
		 "f.json: box.name: "
		 "\"Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\".. is not valid: "
		 "small letters only"},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		err.text[0] = '\0';
		assert_false(json(cases[i].in));
		assert_string_equal(err.text, cases[i].text);
		assert_int_equal(err.kind, ERR_CONFIG);
	}
	assert_int_equal(t.box.port, 80); /* what is refused changes nothing */
	assert_int_equal(t.box.colour, GREEN);
	assert_list(&t.box.items, "a|b");
}

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

static void test_files(void **state)
{
	(void)state;
	assert_false(opts_read_file(&o, "/nonexistent/x.json", &err));
	assert_string_equal(err.text, "cannot open \"/nonexistent/x.json\": No such file or directory");
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_false(opts_read_file(&o, "/tmp", &err));
	assert_string_equal(err.text, "cannot read \"/tmp\": Is a directory");
	assert_false(opts_read_file(&o, "/dev/zero", &err));
	assert_string_equal(err.text, "\"/dev/zero\" is larger than 1048576 bytes");
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),	TEST(test_json),    TEST(test_comment_in_text),
		TEST(test_json_errors), TEST(test_amounts), TEST(test_args),
		TEST(test_args_errors), TEST(test_action),  TEST(test_environment),
		TEST(test_env_file),	TEST(test_files),   TEST(test_print),
		TEST(test_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

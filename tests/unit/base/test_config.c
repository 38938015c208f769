/* Options from a file, on a small table of the test's own: every type, exact error texts. */
#include "unit/base/paint.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),	TEST(test_json),  TEST(test_comment_in_text),
		TEST(test_json_errors), TEST(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

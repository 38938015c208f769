/* Strict CBOR: every example of RFC 8949 appendix A, and each rule that cbor.h adds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/check.h"
#include "nsm/cbor.h"
#include "nsm/digest.h"

/* Bytes of a hexadecimal text, in exactly as much memory: ASan sees a read past the end. */
static struct span from_hex(const char *hex)
{
	size_t n = strlen(hex) / 2;
	uint8_t *p = malloc(n ? n : 1);
	assert_non_null(p);
	assert_true(digest_from_hex(span_of(hex), p, n));
	return (struct span){(char *)p, n};
}

static void drop(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

static const char *check_hex(const char *hex)
{
	struct span s = from_hex(hex);
	const char *why = cbor_check(s);
	drop(s);
	return why;
}

#define FLOAT	   "has a float or a simple value other than false, true and null"
#define INDEFINITE "has an indefinite length"

/* Appendix A in its order. */
static const struct {
	const char *hex, *why; /* NULL: accepted */
} examples[] = {
	{"00", NULL},
	{"01", NULL},
	{"0a", NULL},
	{"17", NULL},
	{"1818", NULL},
	{"1819", NULL},
	{"1864", NULL},
	{"1903e8", NULL},
	{"1a000f4240", NULL},
	{"1b000000e8d4a51000", NULL},
	{"1bffffffffffffffff", NULL},
	{"c249010000000000000000", NULL},
	{"3bffffffffffffffff", NULL},
	{"c349010000000000000000", NULL},
	{"20", NULL},
	{"29", NULL},
	{"3863", NULL},
	{"3903e7", NULL},
	{"f90000", FLOAT},
	{"f98000", FLOAT},
	{"f93c00", FLOAT},
	{"fb3ff199999999999a", FLOAT},
	{"f93e00", FLOAT},
	{"f97bff", FLOAT},
	{"fa47c35000", FLOAT},
	{"fa7f7fffff", FLOAT},
	{"fb7e37e43c8800759c", FLOAT},
	{"f90001", FLOAT},
	{"f90400", FLOAT},
	{"f9c400", FLOAT},
	{"fbc010666666666666", FLOAT},
	{"f97c00", FLOAT},
	{"f97e00", FLOAT},
	{"f9fc00", FLOAT},
	{"fa7f800000", FLOAT},
	{"fa7fc00000", FLOAT},
	{"faff800000", FLOAT},
	{"fb7ff0000000000000", FLOAT},
	{"fb7ff8000000000000", FLOAT},
	{"fbfff0000000000000", FLOAT},
	{"f4", NULL},
	{"f5", NULL},
	{"f6", NULL},
	{"f7", FLOAT}, /* undefined */
	{"f0", FLOAT}, /* simple(16) */
	{"f8ff", FLOAT},
	{"c074323031332d30332d32315432303a30343a30305a", NULL},
	{"c11a514b67b0", NULL},
	{"c1fb41d452d9e8200000", FLOAT},
	{"d74401020304", NULL},
	{"d818456449455446", NULL},
	{"d82076687474703a2f2f7777772e6578616d706c652e636f6d", NULL},
	{"40", NULL},
	{"4401020304", NULL},
	{"60", NULL},
	{"6161", NULL},
	{"6449455446", NULL},
	{"62225c", NULL},
	{"62c3bc", NULL},
	{"63e6b0b4", NULL},
	{"64f0908591", NULL},
	{"80", NULL},
	{"83010203", NULL},
	{"8301820203820405", NULL},
	{"98190102030405060708090a0b0c0d0e0f101112131415161718181819", NULL},
	{"a0", NULL},
	{"a201020304", NULL},
	{"a26161016162820203", NULL},
	{"826161a161626163", NULL},
	{"a56161614161626142616361436164614461656145", NULL},
	{"5f42010243030405ff", INDEFINITE},
	{"7f657374726561646d696e67ff", INDEFINITE},
	{"9fff", INDEFINITE},
	{"9f018202039f0405ffff", INDEFINITE},
	{"9f01820203820405ff", INDEFINITE},
	{"83018202039f0405ff", INDEFINITE},
	{"83019f0203ff820405", INDEFINITE},
	{"9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", INDEFINITE},
	{"bf61610161629f0203ffff", INDEFINITE},
	{"826161bf61626163ff", INDEFINITE},
	{"bf6346756ef563416d7421ff", INDEFINITE},
};

static void test_appendix_a(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(examples); i++) {
		const char *why = check_hex(examples[i].hex);
		if (examples[i].why && why)
			assert_string_equal(why, examples[i].why);
		else if (examples[i].why != why)
			fail_msg("%s: %s", examples[i].hex, why ? why : "accepted");
	}
}

/* What is whole is not whole when cut anywhere, and not with one byte more. */
static void test_cut_and_extended(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(examples); i++) {
		if (examples[i].why)
			continue;
		struct span whole = from_hex(examples[i].hex);
		for (size_t n = 0; n < whole.n; n++) {
			char *part = malloc(n ? n : 1);
			memcpy(part, whole.p, n);
			assert_non_null(cbor_check((struct span){part, n}));
			free(part);
		}
		char *more = malloc(whole.n + 1);
		memcpy(more, whole.p, whole.n);
		more[whole.n] = 0;
		assert_string_equal(cbor_check((struct span){more, whole.n + 1}), "has bytes behind its end");
		free(more);
		drop(whole);
	}
}

static void test_shortest_form(void **state)
{
	(void)state;
	static const char *const longer[] = {
		"1800", "1817", "190018",   "1900ff", "1a0000ffff", "1b00000000ffffffff",
		"3817", "5800", "79000161", "980101", "b8010102",   "d80101"};
	static const char *const shortest[] = {"1818", "190100", "1a00010000", "1b0000000100000000"};
	for (size_t i = 0; i < countof(longer); i++)
		assert_string_equal(check_hex(longer[i]), "has a number that is not in its shortest form");
	for (size_t i = 0; i < countof(shortest); i++)
		assert_null(check_hex(shortest[i]));
	assert_string_equal(check_hex("1c"), "has a reserved length form");
	assert_string_equal(check_hex("5e"), "has a reserved length form");
}

static void test_utf8(void **state)
{
	(void)state;
	static const char *const bad[] = {"6180",	"61ff",	      "62c080",	  "62c1bf",   "62c341",
					  "61c3",	"63e08080",   "63eda080", "63edbfbf", "64f0808080",
					  "64f4908080", "64f8888080", "63e6b041", "62e6b0",   "64f0908541"};
	static const char *const good[] = {"62c280",   "63e0a080",   "63ed9fbf",
					   "63ee8080", "64f0908080", "64f48fbfbf"};
	for (size_t i = 0; i < countof(bad); i++)
		assert_string_equal(check_hex(bad[i]), "has a text that is not UTF-8");
	for (size_t i = 0; i < countof(good); i++)
		assert_null(check_hex(good[i]));
}

static void test_duplicate_keys(void **state)
{
	(void)state;
	assert_string_equal(check_hex("a201000102"), "has a key twice in one map");
	assert_string_equal(check_hex("a3616100616201616102"), "has a key twice in one map");
	assert_string_equal(check_hex("81a1"
				      "00"
				      "a2"
				      "6161006161"
				      "01"),
			    "has a key twice in one map");
	assert_null(check_hex("a3010020004100"
			      "00")); /* 1, -1, h'00' */
	assert_null(check_hex("a2"
			      "01"
			      "a10100"
			      "02"
			      "a10100"));
}

static void test_depth(void **state)
{
	(void)state;
	char hex[2 * (CBOR_DEPTH_MAX + 2) + 1] = "";
	for (int i = 0; i < CBOR_DEPTH_MAX; i++)
		strcat(hex, "81");
	strcat(hex, "00");
	assert_null(check_hex(hex));
	memcpy(hex + 2 * CBOR_DEPTH_MAX, "8100", 5);
	assert_string_equal(check_hex(hex), "is nested too deeply");
	memcpy(hex, "c1", 2); /* a tag is a level too */
	assert_string_equal(check_hex(hex), "is nested too deeply");
}

/* A length is believed only as far as the bytes are there. */
static void test_lengths(void **state)
{
	(void)state;
	assert_string_equal(check_hex("5bffffffffffffffff"), "ends within a string");
	assert_string_equal(check_hex("7a7fffffff6161"), "ends within a string");
	assert_string_equal(check_hex("9bffffffffffffffff"), "has too many elements");
	assert_string_equal(check_hex("b90101"), "has too many elements");
	assert_string_equal(check_hex("8401"), "ends where an item should begin");
	assert_string_equal(check_hex("19"), "ends within a number");

	struct buf b;
	buf_init(&b, 4096);
	cbor_put_array(&b, CBOR_COUNT_MAX);
	for (int i = 0; i < CBOR_COUNT_MAX; i++)
		cbor_put_null(&b);
	assert_null(cbor_check(buf_span(&b)));
	buf_free(&b);
}

static void test_written_is_read(void **state)
{
	(void)state;
	static const uint64_t numbers[] = {
		0, 23, 24, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
	struct buf b;
	buf_init(&b, 4096);
	cbor_put_array(&b, countof(numbers) + 8);
	for (size_t i = 0; i < countof(numbers); i++)
		cbor_put_uint(&b, numbers[i]);
	cbor_put_int(&b, -35);
	cbor_put_int(&b, INT64_MIN);
	cbor_put_int(&b, 7);
	cbor_put_bytes(&b, SPAN("\0x"));
	cbor_put_bytes(&b, (struct span){NULL, 0});
	cbor_put_text(&b, "text");
	cbor_put_tag(&b, 18);
	cbor_put_bool(&b, true);
	cbor_put_map(&b, 1);
	cbor_put_bool(&b, false);
	cbor_put_null(&b);
	assert_false(buf_full(&b));
	assert_null(cbor_check(buf_span(&b)));

	struct cbor c = cbor_open(buf_span(&b));
	size_t count;
	uint64_t u;
	int64_t i64;
	struct span s;
	bool flag;
	assert_true(cbor_array(&c, &count));
	assert_int_equal(count, countof(numbers) + 8);
	for (size_t i = 0; i < countof(numbers); i++) {
		assert_true(cbor_uint(&c, &u));
		assert_true(u == numbers[i]);
	}
	assert_true(cbor_int(&c, &i64) && i64 == -35);
	assert_true(cbor_int(&c, &i64) && i64 == INT64_MIN);
	assert_true(cbor_int(&c, &i64) && i64 == 7);
	assert_true(cbor_bytes(&c, &s) && s.n == 2);
	assert_false(cbor_bytes(&c, &s));
	assert_true(cbor_null(&c));
	assert_false(cbor_bytes(&c, &s));
	assert_true(cbor_text(&c, &s) && span_is(s, SPAN("text")));
	assert_int_equal(cbor_peek(&c), CBOR_TAG);
	assert_true(cbor_tag(&c, &u) && u == 18);
	assert_true(cbor_bool(&c, &flag) && flag);
	assert_true(cbor_map(&c, &count) && count == 1);
	assert_false(cbor_null(&c));
	assert_true(cbor_bool(&c, &flag) && !flag);
	assert_true(cbor_skip(&c));
	assert_true(cbor_at_end(&c));
	assert_int_equal(cbor_peek(&c), CBOR_END);
	assert_false(cbor_skip(&c));
	buf_free(&b);
}

/* What is not of the type asked for leaves the cursor where it was. */
static void test_nothing_moves(void **state)
{
	(void)state;
	struct span big = from_hex("1bffffffffffffffff"); /* more than int64_t */
	struct cbor c = cbor_open(big);
	int64_t i64;
	uint64_t u;
	size_t count;
	assert_false(cbor_int(&c, &i64));
	assert_false(cbor_map(&c, &count));
	assert_false(cbor_array(&c, &count));
	assert_true(cbor_uint(&c, &u) && u == UINT64_MAX);
	drop(big);
	struct span many = from_hex("b90101");
	c = cbor_open(many);
	assert_false(cbor_map(&c, &count));
	assert_int_equal(c.rest.n, 3);
	drop(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appendix_a),     cmocka_unit_test(test_cut_and_extended),
		cmocka_unit_test(test_shortest_form),  cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_duplicate_keys), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_lengths),	       cmocka_unit_test(test_written_is_read),
		cmocka_unit_test(test_nothing_moves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

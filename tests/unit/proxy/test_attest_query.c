/* Questions about attestation, right and wrong, and the base64 of their answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proxy/attest_query.h"
#include "proxy/base64.h"

static struct attest_query q;
static struct error err;

static bool ask(const char *method, const char *target, const char *accept)
{
	struct head *h = mem_zero(sizeof *h);
	head_init_request(h, span_of(method), span_of(target));
	if (accept)
		head_add(h, SPAN("Accept"), span_of(accept));
	bool good = attest_query_parse(span_of(target), h, &q, &err);
	free(h);
	return good;
}

static bool with_nonce(size_t digits)
{
	char target[400] = "/attestation?nonce=";
	memset(target + strlen(target), 'a', digits);
	return ask("GET", target, NULL);
}

static void test_nonce(void **state)
{
	(void)state;
	for (size_t n = 0; n < 300; n++)
		if (with_nonce(n) != (n % 2 == 0 && n >= 32 && n <= 128))
			fail_msg("%zu digits", n);
	assert_true(ask("GET", "/attestation?nonce=000102030405060708090a0b0c0d0E0F", NULL));
	assert_int_equal(q.nonce_len, 16);
	for (int i = 0; i < 16; i++)
		assert_int_equal(q.nonce[i], i);
	assert_false(q.json);
}

static void test_refused(void **state)
{
	static const struct {
		const char *method, *target;
		enum error_kind kind;
		const char *says;
	} cases[] = {
		{"GET", "/attestation", ERR_BAD_REQUEST, "16 to 64 random bytes"},
		{"GET", "/attestation?", ERR_BAD_REQUEST, "16 to 64 random bytes"},
		{"GET", "/attestation?nonce", ERR_BAD_REQUEST, "16 to 64 random bytes"},
		{"GET", "/attestation?x=1&nonce=00112233445566778899aabbccddeeff", ERR_BAD_REQUEST,
		 "nothing else"},
		{"GET", "/attestation?nonce=00112233445566778899aabbccddeeff&x=1", ERR_BAD_REQUEST,
		 "not an even"},
		{"GET", "/attestation?nonce=00112233445566778899aabbccddeefg", ERR_BAD_REQUEST,
		 "not an even"},
		{"GET", "/attestation?nonce=00112233445566778899aabbccddee", ERR_BAD_REQUEST,
		 "30 hexadecimal"},
		{"POST", "/attestation?nonce=00112233445566778899aabbccddeeff", ERR_METHOD, "GET"},
		{"HEAD", "/attestation/claims", ERR_METHOD, "GET"},
		{"GET", "/attestation/claims?nonce=00", ERR_BAD_REQUEST, "no query"},
		{"GET", "/attestation/secrets", ERR_NOT_FOUND, "nothing else"},
		{"GET", "/attestation/", ERR_NOT_FOUND, "nothing else"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_false(ask(cases[i].method, cases[i].target, NULL));
		assert_int_equal(err.kind, cases[i].kind);
		if (!strstr(err.text, cases[i].says))
			fail_msg("%s: %s", cases[i].target, err.text);
	}
}

static void test_what(void **state)
{
	(void)state;
	assert_true(ask("GET", "/attestation/claims", NULL));
	assert_int_equal(q.what, ATTEST_CLAIMS);
	assert_true(ask("GET", "/attestation/root", NULL));
	assert_int_equal(q.what, ATTEST_ROOT);
}

static void test_accept(void **state)
{
	static const char document[] = "/attestation?nonce=00112233445566778899aabbccddeeff";
	(void)state;
	assert_true(ask("GET", document, "text/html, Application/JSON;q=0.9"));
	assert_true(q.json);
	assert_true(ask("GET", document, "application/json, application/cbor"));
	assert_false(q.json);
	assert_true(ask("GET", document, "*/*"));
	assert_false(q.json);
	assert_true(ask("GET", document, "application/jsonx"));
	assert_false(q.json);
}

/* RFC 4648 section 10, and every length there and back. */
static void test_base64(void **state)
{
	static const char *const vectors[][2] = {{"", ""},
						 {"f", "Zg=="},
						 {"fo", "Zm8="},
						 {"foo", "Zm9v"},
						 {"foob", "Zm9vYg=="},
						 {"fooba", "Zm9vYmE="},
						 {"foobar", "Zm9vYmFy"}};
	char bytes[256], back[256];
	struct buf text;
	size_t n;
	(void)state;
	buf_init(&text, 1024);
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		buf_clear(&text);
		base64_encode(span_of(vectors[i][0]), &text);
		assert_string_equal(buf_text(&text), vectors[i][1]);
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 167 + 251);
	for (size_t len = 1; len <= sizeof bytes; len++) {
		buf_clear(&text);
		base64_encode((struct span){bytes, len}, &text);
		assert_true(base64_decode(buf_span(&text), back, sizeof back, &n));
		assert_int_equal(n, len);
		assert_memory_equal(bytes, back, n);
	}
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nonce),  cmocka_unit_test(test_refused), cmocka_unit_test(test_what),
		cmocka_unit_test(test_accept), cmocka_unit_test(test_base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

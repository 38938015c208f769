/* A receipt says what was written into it, and nothing of it can be changed, left out or put in unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "nsm/cbor.h"
#include "nsm/receipt.h"

static struct receipt_key key;

static struct receipt example(void)
{
	struct receipt r = {.time = 1700000000123,
			    .method = SPAN("POST"),
			    .target = SPAN("https://api.example.org:8443"),
			    .secure = true,
			    .tls = SPAN("TLSv1.3"),
			    .cipher = SPAN("TLS_AES_128_GCM_SHA256"),
			    .status = 200,
			    .has_request = true};
	memset(r.peer, 1, sizeof r.peer);
	memset(r.path, 2, sizeof r.path);
	memset(r.request, 3, sizeof r.request);
	memset(r.response, 4, sizeof r.response);
	return r;
}

static void write_one(struct buf *out, const struct receipt *r)
{
	struct error err;
	buf_init(out, RECEIPT_MAX);
	if (!receipt_write(out, r, &key, &err))
		fail_msg("%s", err.text);
}

static void expect_same(const struct receipt *a, const struct receipt *b)
{
	assert_int_equal(a->time, b->time);
	assert_true(span_is(a->method, b->method));
	assert_true(span_is(a->target, b->target));
	assert_int_equal(a->secure, b->secure);
	assert_true(span_is(a->tls, b->tls));
	assert_true(span_is(a->cipher, b->cipher));
	assert_memory_equal(a->peer, b->peer, SHA256_SIZE);
	assert_memory_equal(a->path, b->path, SHA256_SIZE);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->has_request, b->has_request);
	assert_memory_equal(a->request, b->request, SHA256_SIZE);
	assert_memory_equal(a->response, b->response, SHA256_SIZE);
}

static void round_trip(const struct receipt *r)
{
	struct buf out;
	struct receipt_read read;
	struct refusal why;
	write_one(&out, r);
	if (!receipt_parse(buf_span(&out), &read, &why) || !receipt_verify(&read, key.sha256, &why))
		fail_msg("%s", why.text);
	expect_same(&read.said, r);
	buf_free(&out);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct receipt r = example();
	round_trip(&r);
	r.has_request = false; /* it had not gone out whole */
	memset(r.request, 0, sizeof r.request);
	round_trip(&r);
	r.secure = false;
	r.target = SPAN("http://api.example.org");
	r.tls = r.cipher = (struct span){NULL, 0};
	memset(r.peer, 0, sizeof r.peer);
	round_trip(&r);
	r.time = 0;
	r.status = 999;
	r.method = SPAN("x");
	round_trip(&r);
}

/* As big as one can be: RECEIPT_MAX is enough. */
static void test_biggest(void **state)
{
	(void)state;
	static char text[RECEIPT_TARGET_MAX + 1] = "https://";
	struct receipt r = example();
	memset(text + 8, 'a', sizeof text - 8);
	r.target = (struct span){text, RECEIPT_TARGET_MAX};
	r.method = (struct span){text + 8, RECEIPT_METHOD_MAX};
	r.tls = r.cipher = (struct span){text + 8, RECEIPT_SUITE_MAX};
	r.time = UINT64_C(253402300799999);
	round_trip(&r);
	r.target.n++;
	struct buf out;
	struct error err;
	buf_init(&out, RECEIPT_MAX);
	assert_false(receipt_write(&out, &r, &key, &err));
	buf_free(&out);
}

/* The nonce comes from key and message: the same receipt is the same bytes. */
static void test_deterministic(void **state)
{
	(void)state;
	struct receipt r = example();
	struct buf a, b;
	write_one(&a, &r);
	write_one(&b, &r);
	assert_true(span_is(buf_span(&a), buf_span(&b)));
	buf_free(&a);
	buf_free(&b);
}

static void test_what_cannot_be_said(void **state)
{
	(void)state;
	struct buf out;
	struct error err;
	buf_init(&out, RECEIPT_MAX);
#define REFUSED(field, value)                                                                                \
	do {                                                                                                 \
		struct receipt r = example();                                                                \
		r.field = (value);                                                                           \
		if (receipt_write(&out, &r, &key, &err))                                                     \
			fail_msg("%s", #field " = " #value);                                                 \
	} while (0)
	REFUSED(method, SPAN(""));
	REFUSED(method, SPAN("GE T"));
	REFUSED(method, SPAN("G\"T"));
	REFUSED(method, SPAN("G\\T"));
	REFUSED(method, SPAN("G\x1bT"));
	REFUSED(method, SPAN("0123456789012345678901234567890123"));
	REFUSED(target, SPAN("ftp://x"));
	REFUSED(target, SPAN("http://x")); /* with the facts of TLS */
	REFUSED(target, SPAN("https://\n"));
	REFUSED(secure, false);
	REFUSED(tls, SPAN(""));
	REFUSED(cipher, SPAN("a b"));
	REFUSED(status, 99);
	REFUSED(status, 1000);
	REFUSED(time, UINT64_C(253402300800000));
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

/* One bit of each byte, each time another. Where the form is still good it is the signature that tells. */
static void test_flipped_bits(void **state)
{
	(void)state;
	struct receipt r = example();
	struct buf out;
	unsigned tried = 0, by_signature = 0;
	write_one(&out, &r);
	for (size_t i = 0; i < out.n; i++) {
		struct receipt_read read;
		struct refusal why = {.reason = REFUSE_NONE};
		out.p[i] = (char)(out.p[i] ^ 1 << i % 8);
		bool good = receipt_parse(buf_span(&out), &read, &why);
		if (good) {
			by_signature++;
			good = receipt_verify(&read, key.sha256, &why);
			assert_true(why.reason == REFUSE_RECEIPT_SIGNATURE ||
				    why.reason == REFUSE_RECEIPT_KEY);
		} else {
			assert_true(why.reason == REFUSE_ENCODING || why.reason == REFUSE_ENVELOPE ||
				    why.reason == REFUSE_RECEIPT);
		}
		if (good)
			fail_msg("byte %zu", i);
		out.p[i] = (char)(out.p[i] ^ 1 << i % 8);
		tried++;
	}
	assert_true(tried > 400 && by_signature > 250);
	for (size_t n = 0; n < out.n; n++) {
		struct receipt_read read;
		struct refusal why;
		assert_false(receipt_parse((struct span){out.p, n}, &read, &why));
	}
	buf_free(&out);
}

static void test_other_key(void **state)
{
	(void)state;
	struct receipt r = example();
	struct receipt_read read;
	struct receipt_key other;
	struct refusal why;
	struct error err;
	struct buf out;
	buf_init(&out, RECEIPT_MAX);
	assert_true(receipt_key_make(&other, &err));
	assert_true(receipt_write(&out, &r, &other, &err));
	assert_true(receipt_parse(buf_span(&out), &read, &why));
	assert_false(receipt_verify(&read, key.sha256, &why));
	assert_int_equal(why.reason, REFUSE_RECEIPT_KEY);
	/* The claimed key's point in it, but the other's signature. */
	memcpy(read.point, key.point, sizeof read.point);
	assert_false(receipt_verify(&read, key.sha256, &why));
	assert_int_equal(why.reason, REFUSE_RECEIPT_SIGNATURE);
	buf_free(&out);
	receipt_key_free(&other);
}

/* ---- payloads that are signed as they should be, but are not in the one form ---- */

static void put(struct buf *out, const char *name, struct span bytes)
{
	cbor_put_text(out, name);
	cbor_put_bytes(out, bytes);
}

/* skip, twice: the number of a pair that is left out, or comes again under another name; -1: none. */
static void put_payload(struct buf *out, int skip, int extra, int swap)
{
	static const char zeros[ES384_POINT_SIZE];
	static const char *const names[] = {"v",      "key",	"tls",	  "path",   "peer",    "time",
					    "cipher", "method", "status", "target", "request", "response"};
	struct span digest = {zeros, SHA256_SIZE};
	cbor_put_map(out, countof(names) - (skip >= 0) + (extra >= 0));
	for (int k = 0; k < (int)countof(names); k++) {
		int i = k == swap ? k + 1 : k == swap + 1 && swap >= 0 ? k - 1 : k;
		if (i == extra)
			put(out, "extra", digest);
		if (i == skip)
			continue;
		if (i == 1) {
			put(out, names[i], (struct span){zeros, ES384_POINT_SIZE});
		} else if (i == 3 || i == 10 || i == 11) {
			put(out, names[i], digest);
		} else {
			cbor_put_text(out, names[i]);
			if (i == 0)
				cbor_put_uint(out, 1);
			else if (i == 5 || i == 8)
				cbor_put_uint(out, 200);
			else if (i == 7)
				cbor_put_text(out, "GET");
			else if (i == 9)
				cbor_put_text(out, "http://a");
			else
				cbor_put_null(out);
		}
	}
}

static void expect_form(int skip, int extra, int swap, bool good)
{
	struct buf payload, out;
	struct receipt_read read;
	struct refusal why = {.reason = REFUSE_NONE};
	struct error err;
	buf_init(&payload, RECEIPT_MAX);
	buf_init(&out, RECEIPT_MAX);
	put_payload(&payload, skip, extra, swap);
	assert_true(cose_sign(&out, buf_span(&payload), &key.key, &err));
	assert_int_equal(receipt_parse(buf_span(&out), &read, &why), good);
	assert_int_equal(why.reason, good ? REFUSE_NONE : REFUSE_RECEIPT);
	buf_free(&payload);
	buf_free(&out);
}

static void test_one_form(void **state)
{
	(void)state;
	expect_form(-1, -1, -1, true);
	for (int i = 0; i < 12; i++) {
		expect_form(i, -1, -1, false);
		expect_form(-1, i, -1, false);
		if (i < 11)
			expect_form(-1, -1, i, false);
	}
}

static int make_key(void **state)
{
	struct error err;
	(void)state;
	return receipt_key_make(&key, &err) ? 0 : 1;
}

static int drop_key(void **state)
{
	(void)state;
	receipt_key_free(&key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_biggest),
		cmocka_unit_test(test_deterministic), cmocka_unit_test(test_what_cannot_be_said),
		cmocka_unit_test(test_flipped_bits),  cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_one_form),
	};
	return cmocka_run_group_tests(tests, make_key, drop_key);
}

/* Documents that break one rule of the syntax each, but are signed as they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "nsm/cbor.h"
#include "nsm/soft_ca.h"
#include "unit/nsm/documents.h"

#define NOW INT64_C(1700000000)

struct soft_document {
	struct soft_ca *ca;
	struct attestation a;
	uint8_t root[SHA256_SIZE];
	struct attestation_wish wish;
};

static int setup(void **state)
{
	static const char pcr[SHA384_SIZE] = "measured";
	struct soft_document *d = mem_zero(sizeof *d);
	struct error err;
	d->ca = soft_ca_new(NOW, &err);
	assert_non_null(d->ca);
	soft_ca_chain(d->ca, &d->a);
	d->a.module_id = SPAN("module");
	d->a.timestamp = NOW * 1000;
	for (int i = 0; i < 3; i++)
		d->a.pcrs[i] = span_of_bytes(pcr, sizeof pcr);
	digest_sha256(d->a.bundle[0], d->root);
	d->wish = (struct attestation_wish){.at = NOW, .root = d->root};
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct soft_document *d = *state;
	soft_ca_free(d->ca);
	free(d);
	return 0;
}

static void expect_signed(const struct soft_document *d, struct span payload, enum refusal_reason reason,
			  const char *what)
{
	struct buf doc;
	struct error err;
	struct attestation_report r;
	buf_init(&doc, COSE_MAX);
	assert_true(cose_sign(&doc, payload, soft_ca_key(d->ca), &err));
	attestation_verify(buf_span(&doc), &d->wish, &r);
	if (r.why.reason != reason)
		fail_msg("%s: %s (%s)", what, refusal_name(r.why.reason), r.why.text);
	buf_free(&doc);
}

static void expect_written(const struct soft_document *d, const struct attestation *a,
			   enum refusal_reason reason, const char *what)
{
	struct buf payload;
	buf_init(&payload, COSE_PAYLOAD_MAX);
	attestation_write(a, &payload);
	assert_false(buf_full(&payload));
	expect_signed(d, buf_span(&payload), reason, what);
	buf_free(&payload);
}

static void test_sizes(void **state)
{
	const struct soft_document *d = *state;
	static const char zeros[2048],
		ones[] = "11111111111111111111111111111111111111111111111111111111111111111";
	struct attestation a = d->a;
	expect_written(d, &a, REFUSE_NONE, "unchanged");
#define WITH(field, value, reason)                                                                           \
	a = d->a;                                                                                            \
	a.field = (value);                                                                                   \
	expect_written(d, &a, REFUSE_##reason, #field " = " #value)
#define BYTES(n) span_of_bytes(zeros, (n))
	WITH(module_id, BYTES(0), FIELD);
	WITH(module_id, BYTES(256), NONE);
	WITH(module_id, BYTES(257), FIELD);
	WITH(timestamp, 0, FIELD);
	WITH(timestamp, UINT64_C(253402300800000), FIELD);
	WITH(timestamp, UINT64_MAX, FIELD);
	WITH(timestamp, (NOW + 301) * 1000, FUTURE);
	WITH(public_key, BYTES(0), FIELD);
	WITH(public_key, BYTES(1), NONE);
	WITH(public_key, BYTES(1024), NONE);
	WITH(public_key, BYTES(1025), FIELD);
	WITH(user_data, BYTES(0), NONE);
	WITH(user_data, BYTES(1024), NONE);
	WITH(user_data, BYTES(1025), FIELD);
	WITH(nonce, BYTES(0), NONE);
	WITH(nonce, BYTES(1024), NONE);
	WITH(nonce, BYTES(1025), FIELD);
	WITH(certificate, BYTES(0), FIELD);
	WITH(certificate, BYTES(1024), CERTIFICATE);
	WITH(certificate, BYTES(1025), FIELD);
	WITH(bundle[1], BYTES(0), FIELD);
	WITH(bundle[1], BYTES(1024), CERTIFICATE);
	WITH(bundle[1], BYTES(1025), FIELD);
	WITH(bundle_count, 0, FIELD);
	WITH(bundle_count, 1, ISSUER);
	WITH(pcrs[1], BYTES(48), DEBUG_MODE);
	WITH(pcrs[3], BYTES(48), NONE);
	for (size_t n = 0; n <= 65; n++) {
		bool good = n == 32 || n == 48 || n == 64;
		a = d->a;
		a.pcrs[7] = span_of_bytes(ones, n);
		expect_written(d, &a, good ? REFUSE_NONE : REFUSE_FIELD, "the size of a PCR");
	}
	a = d->a;
	memset(a.pcrs, 0, sizeof a.pcrs);
	expect_written(d, &a, REFUSE_FIELD, "no PCRs");
#undef BYTES
#undef WITH
}

/* The payload with that field's value replaced by raw CBOR (NULL: the field left out), or one field more. */
static void write_with(const struct attestation *a, const char *field, struct span raw, struct buf *out)
{
	struct buf whole;
	bool is_new = true;
	buf_init(&whole, COSE_PAYLOAD_MAX);
	buf_init(out, COSE_PAYLOAD_MAX);
	attestation_write(a, &whole);
	struct cbor r = cbor_open(buf_span(&whole));
	size_t pairs;
	struct buf body;
	size_t count = 0;
	buf_init(&body, COSE_PAYLOAD_MAX);
	assert_true(cbor_map(&r, &pairs));
	while (pairs--) {
		struct span name, value;
		assert_true(cbor_text(&r, &name));
		value = r.rest;
		assert_true(cbor_skip(&r));
		value.n -= r.rest.n;
		if (span_is(name, span_of(field))) {
			is_new = false;
			value = raw;
		}
		if (!value.p)
			continue;
		count++;
		cbor_put_text_span(&body, name);
		buf_add_span(&body, value);
	}
	if (is_new) {
		count++;
		cbor_put_text(&body, field);
		buf_add_span(&body, raw);
	}
	cbor_put_map(out, count);
	buf_add_span(out, buf_span(&body));
	buf_free(&body);
	buf_free(&whole);
}

static void test_fields(void **state)
{
	const struct soft_document *d = *state;
	static const struct {
		const char *field;
		struct span raw; /* p NULL: the field left out */
		enum refusal_reason reason;
	} cases[] = {
		{"module_id", {NULL, 0}, REFUSE_FIELD},
		{"digest", {NULL, 0}, REFUSE_FIELD},
		{"timestamp", {NULL, 0}, REFUSE_FIELD},
		{"pcrs", {NULL, 0}, REFUSE_FIELD},
		{"certificate", {NULL, 0}, REFUSE_FIELD},
		{"cabundle", {NULL, 0}, REFUSE_FIELD},
		{"public_key", {NULL, 0}, REFUSE_NONE},
		{"user_data", {NULL, 0}, REFUSE_NONE},
		{"nonce", {NULL, 0}, REFUSE_NONE},
		{"module_id",
		 {"\x41"
		  "a",
		  2},
		 REFUSE_FIELD},					 /* bytes */
		{"module_id", {"\xf6", 1}, REFUSE_FIELD},	 /* null */
		{"module_id", {"\x61\xff", 2}, REFUSE_ENCODING}, /* not UTF-8 */
		{"digest", {"\x66SHA256", 7}, REFUSE_FIELD},
		{"digest", {"\x66sha384", 7}, REFUSE_FIELD},
		{"digest", {"\x46SHA384", 7}, REFUSE_FIELD},
		{"timestamp", {"\x20", 1}, REFUSE_FIELD}, /* -1 */
		{"timestamp",
		 {"\x61"
		  "1",
		  2},
		 REFUSE_FIELD},
		{"timestamp", {"\xc1\x01", 2}, REFUSE_FIELD},	 /* a tag */
		{"timestamp", {"\x18\x01", 2}, REFUSE_ENCODING}, /* not shortest */
		{"timestamp", {"\xfb\0\0\0\0\0\0\0\0", 9}, REFUSE_ENCODING},
		{"pcrs", {"\x80", 1}, REFUSE_FIELD},	     /* an array */
		{"pcrs", {"\xa1\x00\xf6", 3}, REFUSE_FIELD}, /* {0: null} */
		{"pcrs",
		 {"\xa1\x61"
		  "0\x40",
		  4},
		 REFUSE_FIELD},				     /* {"0": h''} */
		{"pcrs", {"\xa1\x20\x40", 3}, REFUSE_FIELD}, /* {-1: h''} */
		{"pcrs",
		 {"\xa1\x18\x20\x58\x20"
		  "01234567890123456789012345678901",
		  37},
		 REFUSE_FIELD},						/* 32 */
		{"pcrs", {"\xa2\x00\x40\x00\x40", 5}, REFUSE_ENCODING}, /* twice */
		{"pcrs", {"\xbf\xff", 2}, REFUSE_ENCODING},
		{"certificate", {"\xf6", 1}, REFUSE_FIELD},
		{"certificate",
		 {"\x61"
		  "a",
		  2},
		 REFUSE_FIELD},
		{"cabundle", {"\xf6", 1}, REFUSE_FIELD},
		{"cabundle", {"\x80", 1}, REFUSE_FIELD},
		{"cabundle", {"\x81\xf6", 2}, REFUSE_FIELD},
		{"cabundle",
		 {"\x81\x61"
		  "a",
		  3},
		 REFUSE_FIELD},
		{"cabundle",
		 {"\x89\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01", 19},
		 REFUSE_FIELD},
		{"cabundle",
		 {"\x88\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01", 17},
		 REFUSE_ROOT},
		{"public_key",
		 {"\x61"
		  "a",
		  2},
		 REFUSE_FIELD},
		{"user_data", {"\x00", 1}, REFUSE_FIELD},
		{"user_data", {"\xf4", 1}, REFUSE_FIELD},
		{"nonce", {"\xf7", 1}, REFUSE_ENCODING}, /* undefined */
		{"nonce", {"\x81\x00", 2}, REFUSE_FIELD},
		{"colour", {"\xf6", 1}, REFUSE_FIELD},
		{"Nonce", {"\xf6", 1}, REFUSE_FIELD},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		struct buf payload;
		write_with(&d->a, cases[i].field, cases[i].raw, &payload);
		expect_signed(d, buf_span(&payload), cases[i].reason, cases[i].field);
		buf_free(&payload);
	}
	expect_signed(d, SPAN("\xa0"), REFUSE_FIELD, "an empty map");
	expect_signed(d, SPAN("\x80"), REFUSE_FIELD, "an array");
	expect_signed(d, SPAN("\xf6"), REFUSE_FIELD, "null");
	expect_signed(d, SPAN("\xa1\x01\x02"), REFUSE_FIELD, "a number as a key");
	expect_signed(d, SPAN("\xa0\x00"), REFUSE_ENCODING, "a byte behind");
}

/* Signed by the root's or the instance's key instead of the leaf's is signed by another key. */
static void test_other_signer(void **state)
{
	const struct soft_document *d = *state;
	struct es384_key other;
	struct error err;
	struct attestation_report r;
	struct buf payload, doc;
	assert_true(es384_generate(&other, false, &err));
	buf_init(&payload, COSE_PAYLOAD_MAX);
	buf_init(&doc, COSE_MAX);
	attestation_write(&d->a, &payload);
	assert_true(cose_sign(&doc, buf_span(&payload), &other, &err));
	assert_false(attestation_verify(buf_span(&doc), &d->wish, &r));
	assert_int_equal(r.why.reason, REFUSE_SIGNATURE);
	es384_free(&other);
	buf_free(&payload);
	buf_free(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_signer, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

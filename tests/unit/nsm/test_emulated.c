/*
 * What --allow-unsigned takes: documents as QEMU's machine makes them, byte for byte, and nothing that merely
 * lacks a right signature. Without it, not even those.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "nsm/cbor.h"
#include "nsm/emulated.h"
#include "unit/nsm/documents.h"

#define NOW INT64_C(1700000000)

static const char zeros[1024], pcr[SHA384_SIZE] = "measured";

/* The parts that stand for "nobody signed this", as QEMU has them. */
struct envelope {
	struct span protected_header, signature;
	struct attestation a;
};

static struct envelope qemu(void)
{
	struct envelope e = {.protected_header = SPAN("\xa1\x01\x20"), .signature = {zeros, 64}};
	e.a = (struct attestation){.module_id = SPAN("i-0abcdef-enc0123456789"),
				   .timestamp = NOW * 1000,
				   .certificate = {zeros, 64},
				   .bundle = {{zeros, 64}},
				   .bundle_count = 1,
				   .nonce = SPAN("a nonce of 16 by")};
	for (int i = 0; i < 3; i++)
		e.a.pcrs[i] = span_of_bytes(pcr, sizeof pcr);
	return e;
}

static struct buf write(const struct envelope *e)
{
	struct buf payload, doc;
	buf_init(&payload, COSE_PAYLOAD_MAX);
	buf_init(&doc, COSE_MAX);
	attestation_write(&e->a, &payload);
	cbor_put_array(&doc, 4);
	cbor_put_bytes(&doc, e->protected_header);
	cbor_put_map(&doc, 0);
	cbor_put_bytes(&doc, buf_span(&payload));
	cbor_put_bytes(&doc, e->signature);
	assert_false(buf_full(&payload) || buf_full(&doc));
	buf_free(&payload);
	return doc;
}

static void expect(const struct envelope *e, const struct attestation_wish *wish, enum refusal_reason reason,
		   const char *what)
{
	struct attestation_report r;
	struct buf doc = write(e);
	bool good = attestation_verify(buf_span(&doc), wish, &r);
	if (r.why.reason != reason)
		fail_msg("%s: %s (%s)", what, refusal_name(r.why.reason), r.why.text);
	assert_int_equal(good, reason == REFUSE_NONE);
	buf_free(&doc);
}

static const struct attestation_wish strict = {.at = NOW}, lenient = {.at = NOW, .allow_unsigned = true};

static void test_only_when_allowed(void **state)
{
	(void)state;
	struct envelope e = qemu();
	struct attestation_report r;
	expect(&e, &lenient, REFUSE_NONE, "allowed");
	expect(&e, &strict, REFUSE_ENVELOPE, "not allowed");
	struct buf doc = write(&e);
	assert_true(attestation_verify(buf_span(&doc), &lenient, &r));
	assert_true(r.is_unsigned);
	assert_null(r.document.envelope.signature);
	assert_true(span_is(r.document.nonce, e.a.nonce));
	buf_free(&doc);
}

/* All that can be checked without a signature still is. */
static void test_the_rest_is_checked(void **state)
{
	(void)state;
	struct envelope e = qemu();
	struct attestation_wish wish = lenient;
	wish.nonce = SPAN("a nonce of 16 bz");
	expect(&e, &wish, REFUSE_NONCE, "nonce");
	wish = lenient;
	wish.pcrs[2] = span_of_bytes(zeros, SHA384_SIZE);
	expect(&e, &wish, REFUSE_PCR, "PCR2");
	wish = lenient;
	wish.claims = SPAN("claims");
	expect(&e, &wish, REFUSE_CLAIMS, "claims");
	wish = lenient;
	wish.at = NOW + 61;
	wish.max_age = 60;
	expect(&e, &wish, REFUSE_AGE, "age");
	e.a.pcrs[0] = span_of_bytes(zeros, SHA384_SIZE);
	expect(&e, &lenient, REFUSE_DEBUG_MODE, "debug mode");
}

/* Anything in the place of a signature is one, and has to be right. */
static void test_not_quite_unsigned(void **state)
{
	(void)state;
	static const char one[64] = {[63] = 1};
#define WITH(field, ...)                                                                                     \
	do {                                                                                                 \
		struct envelope e = qemu();                                                                  \
		e.field = (struct span){__VA_ARGS__};                                                        \
		expect(&e, &lenient, REFUSE_ENVELOPE, #field " = " #__VA_ARGS__);                            \
	} while (0)
	WITH(signature, one, 64);
	WITH(signature, zeros, 0);
	WITH(signature, zeros, 63);
	WITH(signature, zeros, 65);
	WITH(signature, zeros, 96);
	WITH(protected_header, "\xa1\x01\x21", 3);
	WITH(protected_header, "\xa1\x01\x26", 3); /* ES256 */
	WITH(protected_header, "\xa0", 1);
	WITH(protected_header, "", 0);
	WITH(a.certificate, one, 64);
	WITH(a.certificate, zeros, 63);
	WITH(a.bundle[0], one, 64);
#undef WITH
	struct envelope e = qemu();
	e.a.bundle[1] = e.a.bundle[0];
	e.a.bundle_count = 2;
	expect(&e, &lenient, REFUSE_ENVELOPE, "two certificates");
	/* Said to be signed: then the chain is looked at. */
	e = qemu();
	e.protected_header = SPAN("\xa1\x01\x38\x22");
	e.signature = span_of_bytes(zeros, ES384_SIGNATURE_SIZE);
	expect(&e, &lenient, REFUSE_ROOT, "zeros for an ES384 signature");
}

static void test_bytes_around(void **state)
{
	(void)state;
	struct envelope e = qemu();
	struct attestation a;
	struct buf doc = write(&e);
	assert_true(emulated_parse(buf_span(&doc), &a));
	for (size_t n = 0; n < doc.n; n++)
		assert_false(emulated_parse((struct span){doc.p, n}, &a));
	buf_add(&doc, "", 1);
	assert_false(emulated_parse(buf_span(&doc), &a));
	buf_free(&doc);
}

/* Leave to go without a signature is not leave to bring a wrong one. */
static void test_signed_documents(void **state)
{
	(void)state;
	struct attestation_wish wish = {.at = VERACRUZ_AT, .allow_unsigned = true};
	struct attestation_report r;
	struct buf doc = document_load("veracruz_doc.cbor");
	assert_true(attestation_verify(buf_span(&doc), &wish, &r));
	assert_false(r.is_unsigned);
	buf_free(&doc);
	doc = document_load("veracruz_doc_bad_sig.cbor");
	assert_false(attestation_verify(buf_span(&doc), &wish, &r));
	assert_int_equal(r.why.reason, REFUSE_SIGNATURE);
	buf_free(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_when_allowed),  cmocka_unit_test(test_the_rest_is_checked),
		cmocka_unit_test(test_not_quite_unsigned), cmocka_unit_test(test_bytes_around),
		cmocka_unit_test(test_signed_documents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

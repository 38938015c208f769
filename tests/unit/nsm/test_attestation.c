/* Real documents: believed at their time for what they are, and refused as soon as something else is asked
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "unit/nsm/documents.h"

static void expect(const char *name, const struct attestation_wish *wish, enum attestation_step failed,
		   enum refusal_reason reason)
{
	struct buf doc = document_load(name);
	struct attestation_report r;
	bool good = attestation_verify(buf_span(&doc), wish, &r);
	if (r.why.reason != reason)
		print_error("%s: %s\n", name, r.why.text);
	assert_string_equal(refusal_name(r.why.reason), refusal_name(reason));
	assert_int_equal(r.failed, failed);
	assert_int_equal(good, reason == REFUSE_NONE);
	assert_int_equal(r.why.text[0] == '\0', good);
	buf_free(&doc);
}

static void expect_good(const char *name, const struct attestation_wish *wish)
{
	expect(name, wish, ATTESTATION_STEP_COUNT, REFUSE_NONE);
}

static void test_real_documents(void **state)
{
	(void)state;
	expect_good("veracruz_doc.cbor", &(struct attestation_wish){.at = VERACRUZ_AT});
	expect_good("evervault_valid_doc.cbor", &(struct attestation_wish){.at = EVERVAULT_AT});
	expect("veracruz_doc_bad_sig.cbor", &(struct attestation_wish){.at = VERACRUZ_AT},
	       ATTESTATION_STEP_SIGNATURE, REFUSE_SIGNATURE);
}

static void test_debug_mode(void **state)
{
	(void)state;
	struct attestation_wish debug = {.at = EVERVAULT_DEBUG_AT}, ga = {.at = EVERVAULT_GA_AT};
	expect("evervault_debug_mode_doc.cbor", &debug, ATTESTATION_STEP_PCRS, REFUSE_DEBUG_MODE);
	expect("evervault_ga_doc.b64", &ga, ATTESTATION_STEP_PCRS, REFUSE_DEBUG_MODE);
	debug.allow_debug = ga.allow_debug = true;
	expect_good("evervault_debug_mode_doc.cbor", &debug);
	expect_good("evervault_ga_doc.b64", &ga);
}

/* The leaf lived from 1668034317 to 1668045120, the document was made at 1668034320.696. */
static void test_times(void **state)
{
	(void)state;
	static const struct {
		int64_t at, max_age;
		enum attestation_step failed;
		enum refusal_reason reason;
	} cases[] = {
		{1668034317 - 300, 0, ATTESTATION_STEP_TIME, REFUSE_FUTURE},
		{1668034320 - 300, 0, ATTESTATION_STEP_COUNT, REFUSE_NONE},
		{1668034317 - 301, 0, ATTESTATION_STEP_CHAIN, REFUSE_NOT_YET_VALID},
		{1668045120, 0, ATTESTATION_STEP_COUNT, REFUSE_NONE},
		{1668045121, 0, ATTESTATION_STEP_CHAIN, REFUSE_EXPIRED},
		{1668034380, 60, ATTESTATION_STEP_COUNT, REFUSE_NONE},
		{1668034381, 60, ATTESTATION_STEP_TIME, REFUSE_AGE},
		{0, 0, ATTESTATION_STEP_CHAIN, REFUSE_NOT_YET_VALID},
		{INT64_C(4102444800), 0, ATTESTATION_STEP_CHAIN, REFUSE_EXPIRED},
	};
	for (size_t i = 0; i < countof(cases); i++)
		expect("veracruz_doc.cbor",
		       &(struct attestation_wish){.at = cases[i].at, .max_age = cases[i].max_age},
		       cases[i].failed, cases[i].reason);
}

static void parse(struct buf *doc, struct attestation *a)
{
	struct refusal why;
	assert_true(attestation_parse(buf_span(doc), a, &why));
}

static void test_wishes(void **state)
{
	(void)state;
	struct buf doc = document_load("evervault_valid_doc.cbor");
	struct attestation a;
	parse(&doc, &a);
	assert_int_equal(a.nonce.n, 256);
	assert_null(a.user_data.p);
	struct attestation_wish wish = {.at = EVERVAULT_AT, .nonce = a.nonce};
	memcpy(wish.pcrs, a.pcrs, sizeof wish.pcrs);
	expect_good("evervault_valid_doc.cbor", &wish);

	/* One bit of each. */
	for (size_t i = 0; i < ATTESTATION_PCRS; i++) {
		if (!a.pcrs[i].p)
			continue;
		char other[ATTESTATION_PCR_MAX];
		memcpy(other, a.pcrs[i].p, a.pcrs[i].n);
		other[i] ^= 1;
		wish.pcrs[i].p = other;
		expect("evervault_valid_doc.cbor", &wish, ATTESTATION_STEP_PCRS, REFUSE_PCR);
		wish.pcrs[i] = a.pcrs[i];
	}
	wish.pcrs[0].n = 32; /* the beginning is not enough */
	expect("evervault_valid_doc.cbor", &wish, ATTESTATION_STEP_PCRS, REFUSE_PCR);
	wish.pcrs[0] = a.pcrs[0];
	wish.pcrs[31] = a.pcrs[0]; /* not in it */
	expect("evervault_valid_doc.cbor", &wish, ATTESTATION_STEP_PCRS, REFUSE_PCR);
	wish.pcrs[31].p = NULL;

	char nonce[256];
	memcpy(nonce, a.nonce.p, sizeof nonce);
	nonce[255] ^= 0x80;
	wish.nonce.p = nonce;
	expect("evervault_valid_doc.cbor", &wish, ATTESTATION_STEP_NONCE, REFUSE_NONCE);
	wish.nonce = (struct span){a.nonce.p, 255};
	expect("evervault_valid_doc.cbor", &wish, ATTESTATION_STEP_NONCE, REFUSE_NONCE);
	wish.nonce.p = NULL;
	wish.claims = SPAN("nobody claimed this");
	expect("evervault_valid_doc.cbor", &wish, ATTESTATION_STEP_CLAIMS, REFUSE_CLAIMS);
	buf_free(&doc);

	/* A document without a nonce cannot answer one. */
	wish = (struct attestation_wish){.at = EVERVAULT_DEBUG_AT, .allow_debug = true, .nonce = SPAN("x")};
	expect("evervault_debug_mode_doc.cbor", &wish, ATTESTATION_STEP_NONCE, REFUSE_NONCE);
}

/* A TLS key bound to a document: user_data is the SubjectPublicKeyInfo in the certificate beside it. */
static void test_bound_key(void **state)
{
	(void)state;
	struct buf doc = document_load("evervault_ga_doc.b64"),
		   cert = document_load("evervault_ga_tls_cert.der");
	struct attestation a;
	parse(&doc, &a);
	assert_int_equal(a.user_data.n, 91);
	assert_non_null(memmem(cert.p, cert.n, a.user_data.p, a.user_data.n));
	buf_free(&doc);
	buf_free(&cert);
}

static void test_other_root(void **state)
{
	(void)state;
	uint8_t root[SHA256_SIZE];
	memcpy(root, attestation_aws_root, sizeof root);
	expect_good("veracruz_doc.cbor", &(struct attestation_wish){.at = VERACRUZ_AT, .root = root});
	root[31] ^= 1;
	expect("veracruz_doc.cbor", &(struct attestation_wish){.at = VERACRUZ_AT, .root = root},
	       ATTESTATION_STEP_CHAIN, REFUSE_ROOT);
}

/* The PEM we ship is the root whose digest is compiled in, and the one in each document. */
static void test_shipped_root(void **state)
{
	(void)state;
	uint8_t root[SHA256_SIZE];
	struct error err;
	struct buf pem = document_load("../../../config/aws_nitro_root_g1.pem");
	assert_true(input_root(buf_span(&pem), root, &err));
	assert_memory_equal(root, attestation_aws_root, sizeof root);

	struct buf doc = document_load("veracruz_doc.cbor");
	struct attestation a;
	parse(&doc, &a);
	assert_true(input_root(a.bundle[0], root, &err));
	assert_memory_equal(root, attestation_aws_root, sizeof root);
	assert_true(input_root(a.bundle[1], root, &err));
	assert_memory_not_equal(root, attestation_aws_root, sizeof root);

	struct span half = {pem.p, pem.n / 2};
	assert_false(input_root(half, root, &err));
	struct buf two;
	buf_init(&two, 2 * pem.n);
	buf_add_span(&two, buf_span(&pem));
	buf_add_span(&two, buf_span(&pem));
	assert_false(input_root(buf_span(&two), root, &err));
	buf_free(&two);
	buf_free(&doc);
	buf_free(&pem);
}

/* Taken apart and put together again, the payload is AWS's, byte for byte. */
static void test_written_again(void **state)
{
	(void)state;
	static const char *const names[] = {"veracruz_doc.cbor", "evervault_valid_doc.cbor",
					    "evervault_debug_mode_doc.cbor", "evervault_ga_doc.b64"};
	for (size_t i = 0; i < countof(names); i++) {
		struct buf doc = document_load(names[i]), payload;
		struct attestation a;
		parse(&doc, &a);
		buf_init(&payload, COSE_PAYLOAD_MAX);
		attestation_write(&a, &payload);
		assert_true(span_is(buf_span(&payload), a.envelope.payload));
		buf_free(&payload);
		buf_free(&doc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_documents), cmocka_unit_test(test_debug_mode),
		cmocka_unit_test(test_times),	       cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_bound_key),      cmocka_unit_test(test_other_root),
		cmocka_unit_test(test_shipped_root),   cmocka_unit_test(test_written_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

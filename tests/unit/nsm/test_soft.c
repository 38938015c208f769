/* The software NSM: the same talk as with the real one, and documents that only its own root vouches for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "nsm/claims.h"
#include "nsm/soft.h"
#include "nsm/soft_ca.h"

#define NOW INT64_C(1700000000)

static const char image[SHA384_SIZE] = "measured";

static struct nsm *open_soft(struct span pcr)
{
	struct error err;
	struct nsm *n = soft_open(&(struct soft_options){.pcrs = {pcr, pcr, pcr}, .now = NOW}, &err);
	assert_non_null(n);
	assert_true(n->software);
	return n;
}

static struct nsm *open_measured(void)
{
	return open_soft((struct span){image, sizeof image});
}

static void attest(struct nsm *n, const struct nsm_evidence *e, struct buf *doc)
{
	struct error err;
	buf_init(doc, NSM_RESPONSE_MAX);
	assert_true(nsm_attest(n, e, doc, &err));
}

static void expect(struct buf *doc, const struct attestation_wish *wish, enum refusal_reason reason)
{
	struct attestation_report r;
	attestation_verify(buf_span(doc), wish, &r);
	assert_string_equal(refusal_name(r.why.reason), refusal_name(reason));
}

static void test_documents(void **state)
{
	(void)state;
	static const char long_nonce[512] = "nonce";
	struct nsm *n = open_measured(), *other = open_measured();
	struct claims claims = {.version = "1"};
	struct buf text, doc;
	struct error err;
	uint8_t digest[SHA256_SIZE], root[SHA256_SIZE], other_root[SHA256_SIZE];
	buf_init(&text, CLAIMS_MAX);
	assert_true(claims_write(&claims, &text, &err));
	digest_sha256(buf_span(&text), digest);
	digest_sha256(soft_root(n), root);
	digest_sha256(soft_root(other), other_root);

	struct nsm_evidence e = {.user_data = {(char *)digest, sizeof digest},
				 .nonce = {long_nonce, sizeof long_nonce},
				 .public_key = SPAN("key")};
	attest(n, &e, &doc);
	struct attestation_wish wish = {.at = NOW,
					.max_age = 1,
					.root = root,
					.nonce = e.nonce,
					.claims = buf_span(&text),
					.pcrs = {{image, sizeof image}}};
	expect(&doc, &wish, REFUSE_NONE);
	wish.root = other_root;
	expect(&doc, &wish, REFUSE_ROOT);
	wish.root = NULL; /* AWS's */
	expect(&doc, &wish, REFUSE_ROOT);
	wish.root = root;
	buf_add(&text, "x", 1);
	wish.claims = buf_span(&text);
	expect(&doc, &wish, REFUSE_CLAIMS);
	buf_free(&doc);
	buf_free(&text);
	nsm_close(other);
	nsm_close(n);
}

/* Without measurements it says of itself what a debug enclave says. */
static void test_unmeasured(void **state)
{
	(void)state;
	struct nsm *n = open_soft((struct span){NULL, 0});
	struct buf doc;
	uint8_t root[SHA256_SIZE];
	digest_sha256(soft_root(n), root);
	attest(n, &(struct nsm_evidence){.nonce = SPAN("n")}, &doc);
	struct attestation_wish wish = {.at = NOW, .root = root};
	expect(&doc, &wish, REFUSE_DEBUG_MODE);
	wish.allow_debug = true;
	expect(&doc, &wish, REFUSE_NONE);
	buf_free(&doc);
	nsm_close(n);
}

static void test_pcrs(void **state)
{
	(void)state;
	struct nsm *n = open_measured();
	struct nsm_description d;
	struct nsm_pcr pcr;
	struct error err;
	assert_true(nsm_describe(n, &d, &err));
	assert_int_equal(d.locked, 0xffff);
	assert_int_equal(d.max_pcrs, 32);

	assert_true(nsm_describe_pcr(n, 0, &pcr, &err));
	assert_true(pcr.locked && pcr.size == sizeof image);
	assert_memory_equal(pcr.value, image, sizeof image);
	assert_false(nsm_extend_pcr(n, 0, SPAN("x"), &pcr, &err));
	assert_int_equal(err.kind, ERR_DENIED);

	/* PCR16 = SHA384(48 zeros || data), printf to sha384sum agrees. */
	uint8_t want[SHA384_SIZE];
	static const char zeros[SHA384_SIZE];
	digest_sha384((struct span){zeros, sizeof zeros}, SPAN("data"), want);
	assert_true(nsm_extend_pcr(n, 16, SPAN("data"), &pcr, &err));
	assert_memory_equal(pcr.value, want, sizeof want);
	assert_true(nsm_describe_pcr(n, 16, &pcr, &err));
	assert_false(pcr.locked);
	assert_memory_equal(pcr.value, want, sizeof want);

	/* A document carries the locked ones only. */
	struct buf doc;
	struct attestation a;
	struct refusal why;
	attest(n, &(struct nsm_evidence){.nonce = SPAN("n")}, &doc);
	assert_true(attestation_parse(buf_span(&doc), &a, &why));
	assert_non_null(a.pcrs[15].p);
	assert_null(a.pcrs[16].p);
	buf_free(&doc);
	assert_true(nsm_lock_pcr(n, 16, &err));
	assert_false(nsm_extend_pcr(n, 16, SPAN("x"), &pcr, &err));
	attest(n, &(struct nsm_evidence){.nonce = SPAN("n")}, &doc);
	assert_true(attestation_parse(buf_span(&doc), &a, &why));
	assert_true(span_is(a.pcrs[16], (struct span){(char *)want, sizeof want}));
	assert_null(a.pcrs[17].p);
	buf_free(&doc);

	assert_true(nsm_lock_pcrs(n, 32, &err));
	assert_true(nsm_describe(n, &d, &err));
	assert_int_equal(d.locked, UINT32_MAX);
	assert_false(nsm_lock_pcrs(n, 33, &err));
	assert_false(nsm_describe_pcr(n, 32, &pcr, &err));
	assert_non_null(strstr(err.text, "InvalidIndex"));
	nsm_close(n);
}

static void test_random(void **state)
{
	(void)state;
	struct nsm *n = open_measured();
	struct error err;
	struct buf one, two;
	buf_init(&one, NSM_RANDOM_MAX);
	buf_init(&two, NSM_RANDOM_MAX);
	assert_true(nsm_random(n, &one, &err) && nsm_random(n, &two, &err));
	assert_int_equal(one.n, NSM_RANDOM_MAX);
	assert_memory_not_equal(one.p, two.p, NSM_RANDOM_MAX);
	buf_free(&one);
	buf_free(&two);
	nsm_close(n);
}

/* Raw requests that nobody of ours would send. */
static void test_hostile_requests(void **state)
{
	(void)state;
	static const struct {
		struct span request;
		const char *code;
	} cases[] = {
		{SPAN(""), "InvalidOperation"},
		{SPAN("\xf6"), "InvalidOperation"},
		{SPAN("\x64"
		      "Nope"),
		 "InvalidOperation"},
		{SPAN("\xa1\x64"
		      "Nope\xa1\x65"
		      "index\x00"),
		 "InvalidIndex"},
		{SPAN("\xa1\x6b"
		      "DescribePCR\xa1\x65"
		      "index\x20"),
		 "InvalidOperation"},
		{SPAN("\xa1\x6b"
		      "DescribePCR\xa1\x65"
		      "index\x18\x20"),
		 "InvalidIndex"},
		{SPAN("\xa1\x6b"
		      "DescribePCR\xa1\x65"
		      "index\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),
		 "InvalidOperation"},
		{SPAN("\xa1\x6b"
		      "DescribePCR\xa0"),
		 "InvalidOperation"},
		{SPAN("\xa1\x69"
		      "ExtendPCR\xa1\x65"
		      "index\x10"),
		 "InvalidIndex"},
		{SPAN("\xa1\x6b"
		      "Attestation\xa1\x65"
		      "nonce\x01"),
		 "InvalidOperation"},
		{SPAN("\xa1\x6b"
		      "Attestation\xa1\x65"
		      "other\xf6"),
		 "InvalidOperation"},
	};
	struct nsm *n = open_measured();
	for (size_t i = 0; i < countof(cases); i++) {
		struct buf response;
		struct error err;
		buf_init(&response, NSM_RESPONSE_MAX);
		assert_true(n->call(n, cases[i].request, &response, &err));
		assert_non_null(strstr(buf_text(&response), cases[i].code));
		buf_free(&response);
	}
	nsm_close(n);
}

/* Half-way through its life the leaf is replaced, under the same root. */
static void test_renewal(void **state)
{
	(void)state;
	enum { HALF = 5400 };
	struct error err;
	struct soft_ca *ca = soft_ca_new(NOW, &err);
	assert_non_null(ca);
	static const struct {
		int64_t at;
		bool same;
	} steps[] = {{NOW, true},
		     {NOW + HALF - 1, true},
		     {NOW + HALF, false},
		     {NOW + HALF + 60, true},
		     {NOW, false}};
	for (size_t i = 0; i < countof(steps); i++) {
		struct attestation a;
		struct buf payload, doc;
		uint8_t before[ATTESTATION_CERT_MAX], root[SHA256_SIZE];
		soft_ca_chain(ca, &a);
		size_t n = a.certificate.n;
		memcpy(before, a.certificate.p, n);
		digest_sha256(a.bundle[0], root);

		assert_true(soft_ca_renew(ca, steps[i].at, &err));
		a = (struct attestation){.module_id = SPAN("m"),
					 .timestamp = (uint64_t)steps[i].at * 1000,
					 .pcrs = {{image, sizeof image}}};
		soft_ca_chain(ca, &a);
		assert_int_equal(span_is(a.certificate, (struct span){(char *)before, n}), steps[i].same);
		buf_init(&payload, COSE_PAYLOAD_MAX);
		buf_init(&doc, COSE_MAX);
		attestation_write(&a, &payload);
		assert_true(cose_sign(&doc, buf_span(&payload), soft_ca_key(ca), &err));
		expect(&doc, &(struct attestation_wish){.at = steps[i].at, .root = root}, REFUSE_NONE);
		buf_free(&payload);
		buf_free(&doc);
	}
	soft_ca_free(ca);
	soft_ca_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_unmeasured),
		cmocka_unit_test(test_pcrs),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_hostile_requests),
		cmocka_unit_test(test_renewal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

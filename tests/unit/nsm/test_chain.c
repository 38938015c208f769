/*
 * Chains that are signed as they should be and break one rule each: made here, since AWS makes no such ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include "base/check.h"
#include "nsm/chain.h"

#define AT INT64_C(1700000000) /* 2023-11-14T22:13:20Z */

enum { ROOT, MIDDLE, LEAF, CERTS };
enum { NO_EXTENSION = -2, ANY_PATHLEN = -1 };

/* One certificate to be made; zeros mean what a good chain has. */
struct recipe {
	const char *subject, *issuer;
	mbedtls_ecp_group_id curve;
	mbedtls_md_type_t md;
	int version; /* 0: 3 */
	int ca;	     /* NO_EXTENSION: no basicConstraints */
	int pathlen;
	int usage; /* NO_EXTENSION: no keyUsage */
	const char *from, *to;
};

static bool one_byte_more;	     /* behind the leaf */
static struct recipe recipes[CERTS]; /* of the test that runs; setup makes them good */

static int setup(void **state)
{
	(void)state;
	static const char *const names[] = {"CN=root", "CN=middle", "CN=leaf"};
	assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
	one_byte_more = false;
	for (int i = 0; i < CERTS; i++)
		recipes[i] = (struct recipe){.subject = names[i],
					     .issuer = names[i ? i - 1 : 0],
					     .curve = MBEDTLS_ECP_DP_SECP384R1,
					     .md = MBEDTLS_MD_SHA384,
					     .version = MBEDTLS_X509_CRT_VERSION_3,
					     .ca = i != LEAF,
					     .pathlen = ANY_PATHLEN,
					     .usage = i == LEAF ? MBEDTLS_X509_KU_DIGITAL_SIGNATURE
								: MBEDTLS_X509_KU_KEY_CERT_SIGN,
					     .from = "20231114000000",
					     .to = "20231115000000"};
	return 0;
}

struct made {
	uint8_t der[1024 + 1]; /* DER, then the one byte more */
	struct span span;
};

static void make(const struct recipe *r, mbedtls_pk_context *subject, mbedtls_pk_context *issuer,
		 struct made *out)
{
	mbedtls_x509write_cert w;
	uint8_t serial[] = {1};
	mbedtls_x509write_crt_init(&w);
	mbedtls_x509write_crt_set_version(&w, r->version);
	mbedtls_x509write_crt_set_md_alg(&w, r->md);
	mbedtls_x509write_crt_set_subject_key(&w, subject);
	mbedtls_x509write_crt_set_issuer_key(&w, issuer);
	assert_int_equal(mbedtls_x509write_crt_set_serial_raw(&w, serial, sizeof serial), 0);
	assert_int_equal(mbedtls_x509write_crt_set_validity(&w, r->from, r->to), 0);
	assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, r->subject), 0);
	assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, r->issuer), 0);
	if (r->ca != NO_EXTENSION)
		assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&w, r->ca, r->pathlen), 0);
	if (r->usage != NO_EXTENSION)
		assert_int_equal(mbedtls_x509write_crt_set_key_usage(&w, (unsigned)r->usage), 0);
	int n = mbedtls_x509write_crt_der(&w, out->der, sizeof out->der - 1, mbedtls_psa_get_random,
					  MBEDTLS_PSA_RANDOM_STATE);
	assert_true(n > 0);
	out->span = (struct span){(char *)out->der + sizeof out->der - 1 - n, (size_t)n};
	mbedtls_x509write_crt_free(&w);
}

/* Makes the chain of the recipes and holds it against the rules; the signer of each is by index. */
static void expect_signed_by(const int signer[CERTS], enum refusal_reason reason)
{
	static struct made made[CERTS];
	mbedtls_pk_context keys[CERTS];
	for (int i = 0; i < CERTS; i++) {
		mbedtls_pk_init(&keys[i]);
		assert_int_equal(mbedtls_pk_setup(&keys[i], mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
		assert_int_equal(mbedtls_ecp_gen_key(recipes[i].curve, mbedtls_pk_ec(keys[i]),
						     mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE),
				 0);
	}
	for (int i = 0; i < CERTS; i++)
		make(&recipes[i], &keys[i], &keys[signer[i]], &made[i]);
	for (int i = 0; i < CERTS; i++)
		mbedtls_pk_free(&keys[i]);

	struct span bundle[] = {made[ROOT].span, made[MIDDLE].span};
	struct chain chain = {made[LEAF].span, bundle, countof(bundle)};
	chain.leaf.n += one_byte_more;
	struct refusal why = {.reason = REFUSE_NONE};
	uint8_t root[SHA256_SIZE], point[ES384_POINT_SIZE];
	digest_sha256(bundle[0], root);
	bool good = chain_verify(&chain, root, AT, point, &why);
	if (why.reason != reason)
		print_error("%s\n", why.text);
	assert_string_equal(refusal_name(why.reason), refusal_name(reason));
	assert_int_equal(good, reason == REFUSE_NONE);
	if (good)
		assert_non_null(memmem(made[LEAF].span.p, made[LEAF].span.n, point, sizeof point));
}

static void expect(enum refusal_reason reason)
{
	expect_signed_by((const int[]){ROOT, ROOT, MIDDLE}, reason);
}

static void test_good(void **state)
{
	(void)state;
	expect(REFUSE_NONE);
	recipes[ROOT].pathlen = 1;
	recipes[MIDDLE].pathlen = 0;
	expect(REFUSE_NONE);
}

static void test_signers(void **state)
{
	(void)state;
	expect_signed_by((const int[]){ROOT, LEAF, MIDDLE}, REFUSE_CHAIN_SIGNATURE);
	expect_signed_by((const int[]){ROOT, ROOT, ROOT}, REFUSE_CHAIN_SIGNATURE);
	expect_signed_by((const int[]){ROOT, ROOT, LEAF}, REFUSE_CHAIN_SIGNATURE);
}

static void test_names(void **state)
{
	recipes[LEAF].issuer = "CN=Middle";
	expect(REFUSE_ISSUER);
	setup(state);
	recipes[MIDDLE].issuer = "CN=root,O=other";
	expect(REFUSE_ISSUER);
}

static void test_algorithms(void **state)
{
	for (int i = 0; i < CERTS; i++) {
		setup(state);
		recipes[i].curve = MBEDTLS_ECP_DP_SECP256R1;
		expect(REFUSE_ALGORITHM);
		setup(state);
		recipes[i].md = MBEDTLS_MD_SHA256;
		expect(REFUSE_ALGORITHM);
		setup(state);
		recipes[i].md = MBEDTLS_MD_SHA512;
		expect(REFUSE_ALGORITHM);
	}
}

static void test_constraints(void **state)
{
	static const struct {
		int cert, ca, pathlen, usage;
	} cases[] = {
		{ROOT, 0, ANY_PATHLEN, MBEDTLS_X509_KU_KEY_CERT_SIGN},
		{ROOT, NO_EXTENSION, 0, MBEDTLS_X509_KU_KEY_CERT_SIGN},
		{ROOT, 1, 0, MBEDTLS_X509_KU_KEY_CERT_SIGN}, /* but there is one CA below it */
		{ROOT, 1, ANY_PATHLEN, NO_EXTENSION},
		{ROOT, 1, ANY_PATHLEN, MBEDTLS_X509_KU_DIGITAL_SIGNATURE | MBEDTLS_X509_KU_CRL_SIGN},
		{MIDDLE, 0, ANY_PATHLEN, MBEDTLS_X509_KU_KEY_CERT_SIGN},
		{MIDDLE, NO_EXTENSION, 0, MBEDTLS_X509_KU_KEY_CERT_SIGN},
		{MIDDLE, 1, ANY_PATHLEN, NO_EXTENSION},
		{MIDDLE, 1, ANY_PATHLEN, MBEDTLS_X509_KU_DIGITAL_SIGNATURE},
		{LEAF, 1, ANY_PATHLEN, MBEDTLS_X509_KU_DIGITAL_SIGNATURE},
		{LEAF, NO_EXTENSION, 0, MBEDTLS_X509_KU_DIGITAL_SIGNATURE},
		{LEAF, 0, ANY_PATHLEN, NO_EXTENSION},
		{LEAF, 0, ANY_PATHLEN, MBEDTLS_X509_KU_KEY_CERT_SIGN},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		setup(state);
		struct recipe *r = &recipes[cases[i].cert];
		r->ca = cases[i].ca;
		r->pathlen = cases[i].pathlen;
		r->usage = cases[i].usage;
		expect(REFUSE_CONSTRAINTS);
	}
}

static void test_times(void **state)
{
	for (int i = 0; i < CERTS; i++) {
		setup(state);
		recipes[i].to = "20231114221319";
		expect(REFUSE_EXPIRED);
		recipes[i].to = "20231114221320";
		expect(REFUSE_NONE);
		recipes[i].from = "20231114221820"; /* the 300 seconds that a clock may be behind */
		recipes[i].to = "20231115000000";
		expect(REFUSE_NONE);
		recipes[i].from = "20231114221821";
		expect(REFUSE_NOT_YET_VALID);
	}
}

/* Version 1 has no extensions, so the writer must not be asked for any. */
static void test_version(void **state)
{
	(void)state;
	recipes[MIDDLE].version = MBEDTLS_X509_CRT_VERSION_1;
	recipes[MIDDLE].ca = recipes[MIDDLE].usage = NO_EXTENSION;
	expect(REFUSE_CERTIFICATE);
}

static void test_trailing_byte(void **state)
{
	(void)state;
	one_byte_more = true;
	expect(REFUSE_CERTIFICATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, setup),
		cmocka_unit_test_setup(test_signers, setup),
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_algorithms, setup),
		cmocka_unit_test_setup(test_constraints, setup),
		cmocka_unit_test_setup(test_times, setup),
		cmocka_unit_test_setup(test_version, setup),
		cmocka_unit_test_setup(test_trailing_byte, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The way from a leaf to a root: dead ends, mazes, and none at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/verify_case.h"
#include "tls/trust.h"
#include "tls/verify.h"

/* Two intermediates of one name: the first tried leads nowhere. */
static void dead_ends_are_left(void **state)
{
	(void)state;
	mbedtls_x509_crt root, sent;
	mbedtls_x509_crt_init(&root);
	mbedtls_x509_crt_init(&sent);
	struct mint r = mint_root(), bad = mint_intermediate(), right = mint_intermediate(),
		    leaf = mint_leaf();
	bad.to = "20260301000000";
	struct mint other = mint_intermediate(); /* the right name and key, by nobody known */
	other.issuer = "CN=nobody";
	assert_int_equal(mint_add(&root, &r), 0);
	const struct mint *order[] = {&leaf, &bad, &other, &right};
	for (size_t i = 0; i < countof(order); i++)
		assert_int_equal(mint_add(&sent, order[i]), 0);
	struct trust *trust = mint_trust(&root);
	struct verify_request rq = {.chain = &sent, .trust = trust, .host = "example.com", .at = IN_2026};
	struct verify_result result;
	struct error err;
	if (!verify_chain(&rq, &result, &err))
		fail_msg("%s", err.text);
	assert_int_equal(result.length, 3);
	assert_int_equal(result.not_after, 1798761599);
	trust_free(trust);
	mbedtls_x509_crt_free(&root);
	mbedtls_x509_crt_free(&sent);
}

/* Many certificates that all sign each other must cost little. */
static void a_maze_is_refused(void **state)
{
	(void)state;
	mbedtls_x509_crt root, sent;
	mbedtls_x509_crt_init(&root);
	mbedtls_x509_crt_init(&sent);
	struct mint r = mint_root(), leaf = mint_leaf();
	r.subject = r.issuer = "CN=another";
	leaf.issuer = "CN=maze";
	assert_int_equal(mint_add(&root, &r), 0);
	assert_int_equal(mint_add(&sent, &leaf), 0);
	static char serials[30];
	for (int i = 0; i < 30; i++) {
		struct mint m = mint_intermediate();
		m.subject = m.issuer = "CN=maze";
		m.key = m.issuer_key = 1;
		serials[i] = (char)(i + 1);
		m.serial = (struct span){&serials[i], 1};
		assert_int_equal(mint_add(&sent, &m), 0);
	}
	struct trust *trust = mint_trust(&root);
	struct verify_request rq = {.chain = &sent, .trust = trust, .host = "example.com", .at = IN_2026};
	struct error err;
	assert_false(verify_chain(&rq, NULL, &err));
	assert_string_equal(err.text, "the chain takes too much work to verify");
	trust_free(trust);
	mbedtls_x509_crt_free(&root);
	mbedtls_x509_crt_free(&sent);
}

/* A certificate of our own that was put into the trust store itself, as for a service without a CA. */
static void a_pinned_leaf(void **state)
{
	(void)state;
	CASE(ACCEPTED, c.root = c.leaf);
	CASE("not valid for this host name", c.root = c.leaf; c.host = "example.org");
	CASE("issuer is not known", c.root = c.leaf; c.leaf.serial = SPAN("\x02"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_ends_are_left),
		cmocka_unit_test(a_maze_is_refused),
		cmocka_unit_test(a_pinned_leaf),
	};
	return cmocka_run_group_tests(tests, NULL, verify_case_tear_down);
}

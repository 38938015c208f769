/* Chains of servers and clients: dates, forms, roles, extensions; how each refusal is told to the peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/verify_case.h"
#include "tls/verify.h"

static void time_and_form(void **state)
{
	(void)state;
	CASE(ACCEPTED, (void)0);
	CASE("server certificate: expired on 2026-05-01", c.leaf.to = "20260501000000");
	CASE("server certificate: not valid before", c.leaf.from = "20260901000000");
	CASE("intermediate certificate: expired", c.middle.to = "20260501000000");
	CASE("root certificate: expired", c.root.to = "20260501000000");
	CASE(ACCEPTED, c.at = 1798761599); /* the last second */
	CASE("expired", c.at = 1798761600);
	CASE("version 1", c.leaf.v1 = true);
	CASE("intermediate certificate: it is of X.509 version 1", c.middle.v1 = true);
	CASE("root certificate: it is of X.509 version 1", c.root.v1 = true);
	CASE("serial number", c.leaf.serial = SPAN("\0"));
	CASE("cannot be parsed", c.leaf.issuer = "");
	CASE("weaker than SHA-256", c.leaf.md = MBEDTLS_MD_SHA1);
	CASE("weaker than SHA-256", c.middle.md = MBEDTLS_MD_SHA1);
	CASE(ACCEPTED, c.leaf.md = MBEDTLS_MD_SHA384);
}

static void roles(void **state)
{
	(void)state;
	CASE("it is a CA", c.leaf.ca = 1);
	CASE(ACCEPTED, c.leaf.ca = -1);
	CASE("lets it sign certificates",
	     c.leaf.usage = MBEDTLS_X509_KU_DIGITAL_SIGNATURE | MBEDTLS_X509_KU_KEY_CERT_SIGN);
	CASE("does not allow signatures", c.leaf.usage = MBEDTLS_X509_KU_KEY_ENCIPHERMENT);
	CASE(ACCEPTED, c.leaf.usage = 0);
	CASE("serverAuth", c.leaf.purposes = "c");
	CASE("serverAuth", c.leaf.purposes = "a");
	CASE(ACCEPTED, c.leaf.purposes = "cs");
	CASE(ACCEPTED, c.leaf.purposes = NULL);
	CASE("it is no CA", c.middle.ca = 0);
	CASE("it is no CA", c.middle.ca = -1);
	CASE("root certificate: it is no CA", c.root.ca = -1);
	CASE("does not let it sign", c.middle.usage = MBEDTLS_X509_KU_CRL_SIGN);
	CASE("does not let it sign", c.root.usage = MBEDTLS_X509_KU_CRL_SIGN);
	CASE("intermediate certificate: its extended key usage", c.middle.purposes = "c");
	CASE("root certificate: its extended key usage", c.root.purposes = "c");
	CASE("intermediate certificate: its extended key usage", c.middle.purposes = "a");
	CASE("longer than it allows", c.root.path_len = 0);
	CASE(ACCEPTED, c.root.path_len = 1; c.middle.path_len = 0);
	CASE("not its issuer's", c.leaf.issuer_key = 3);
	CASE("not its issuer's", c.middle.issuer_key = 3);
	CASE("issuer is not known", c.leaf.issuer = "CN=nobody");
	CASE("issuer is not known", c.middle.issuer = "CN=nobody");
}

/* CLIENT(reason, alert, what to change in c): the same chain, shown by a client; it proves no name. */
#define CLIENT(reason, says, ...)                                                                            \
	do {                                                                                                 \
		struct verify_case c = verify_case_good();                                                   \
		c.host = NULL;                                                                               \
		c.leaf.purposes = "c";                                                                       \
		c.leaf.names.p = NULL;                                                                       \
		__VA_ARGS__;                                                                                 \
		verify_case_expect(__LINE__, &c, reason);                                                    \
		assert_int_equal(verify_case_alert, says);                                                   \
	} while (0)

enum { NO_ALERT = 0, BAD = 42, UNSUPPORTED = 43, EXPIRED = 45, UNKNOWN_CA = 48, REQUIRED = 116 };

static void clients(void **state)
{
	(void)state;
	CLIENT(ACCEPTED, NO_ALERT, (void)0);
	CLIENT(ACCEPTED, NO_ALERT, c.leaf.purposes = "cs");
	CLIENT("client certificate: its extended key usage does not name clientAuth", UNSUPPORTED,
	       c.leaf.purposes = "s");
	CLIENT("clientAuth", UNSUPPORTED, c.leaf.purposes = NULL);
	CLIENT("clientAuth", UNSUPPORTED, c.leaf.purposes = "a");
	CLIENT("intermediate certificate: its extended key usage does not name clientAuth", BAD,
	       c.middle.purposes = "s");
	CLIENT(ACCEPTED, NO_ALERT, c.middle.purposes = "c");
	CLIENT("intermediate certificate: its extended key usage", BAD, c.middle.purposes = "a");
	CLIENT("client certificate: expired on 2026-05-01", EXPIRED, c.leaf.to = "20260501000000");
	CLIENT("client certificate: not valid before", EXPIRED, c.leaf.from = "20260901000000");
	CLIENT("intermediate certificate: expired", BAD, c.middle.to = "20260501000000");
	CLIENT("it is a CA certificate, not a client's", BAD, c.leaf.ca = 1);
	CLIENT("does not allow signatures", BAD, c.leaf.usage = MBEDTLS_X509_KU_KEY_ENCIPHERMENT);
	CLIENT("no path to a trusted root", UNKNOWN_CA, c.leaf.issuer = "CN=somebody else");
	CLIENT("not its issuer's", BAD, c.leaf.issuer_key = 3);
	/* A server's certificate is no client's, and the other way round. */
	CLIENT("clientAuth", UNSUPPORTED, c.leaf = mint_leaf());
	CASE("serverAuth", c.leaf.purposes = "c");
	assert_int_equal(verify_case_alert, UNSUPPORTED);
	CASE("expired", c.leaf.to = "20260501000000");
	assert_int_equal(verify_case_alert, EXPIRED);

	struct verify_result result;
	struct error err;
	struct verify_request rq = {.at = IN_2026};
	assert_false(verify_chain(&rq, &result, &err));
	assert_string_equal(err.text, "the client sent no certificate");
	assert_int_equal(result.alert, REQUIRED);
	assert_int_equal(err.hop, HOP_CLIENT);
}

static void extensions(void **state)
{
	(void)state;
	CASE("cannot be parsed", c.leaf.extra_oid = SPAN("\x2a\x03"); c.leaf.extra = SPAN("\x05\x00");
	     c.leaf.extra_critical = true);
	CASE(ACCEPTED, c.leaf.extra_oid = SPAN("\x2a\x03"); c.leaf.extra = SPAN("\x05\x00"));
	CASE("subjectKeyIdentifier is critical", c.leaf.extra_oid = SPAN("\x55\x1d\x0e");
	     c.leaf.extra = SPAN("\x04\x01\x07"); c.leaf.extra_critical = true);
	CASE("authorityInfoAccess is malformed", c.leaf.extra_oid = SPAN("\x2b\x06\x01\x05\x05\x07\x01\x01");
	     c.leaf.extra = SPAN("malformed"));
	CASE("key identifiers", c.middle.extra_oid = SPAN("\x55\x1d\x0e");
	     c.middle.extra = SPAN("\x04\x01\x07"); c.leaf.extra_oid = SPAN("\x55\x1d\x23");
	     c.leaf.extra = SPAN("\x30\x03\x80\x01\x08"));
	CASE(ACCEPTED, c.middle.extra_oid = SPAN("\x55\x1d\x0e"); c.middle.extra = SPAN("\x04\x01\x07");
	     c.leaf.extra_oid = SPAN("\x55\x1d\x23"); c.leaf.extra = SPAN("\x30\x03\x80\x01\x07"));
	CASE("policy constraints", c.middle.extra_oid = SPAN("\x55\x1d\x24");
	     c.middle.extra = SPAN("\x30\x00"));
	CASE("no CA", c.leaf.permitted = SPAN(DNS("\x0b", "example.com")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_and_form),
		cmocka_unit_test(roles),
		cmocka_unit_test(clients),
		cmocka_unit_test(extensions),
	};
	return cmocka_run_group_tests(tests, NULL, verify_case_tear_down);
}

/* Names of certificates, and the constraints that CAs are under. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/verify_case.h"
#include "tls/cert_parse.h"

static void names(void **state)
{
	(void)state;
	CASE("not valid for this host name", c.host = "example.org");
	CASE("no subjectAltName", c.leaf.names.p = NULL; c.leaf.subject = "CN=example.com");
	CASE("subjectAltName is empty", c.leaf.names = SPAN(""));
	CASE("not valid for this IP address", c.host = "192.0.2.1");
	CASE(ACCEPTED, c.host = "192.0.2.1"; c.leaf.names = SPAN(IPV4));
	CASE("not valid for this IP address", c.host = "192.0.2.1";
	     c.leaf.names = SPAN(DNS("\x09", "192.0.2.1")));
	CASE("cannot be parsed", c.leaf.names = SPAN(DNS("\x0b", "example.com") "\x87\x03\x7f\x00\x01"));
	CASE("malformed DNS", c.leaf.names = SPAN(DNS("\x0b", "example.com") DNS("\x03", "a b")));
	CASE("malformed DNS", c.leaf.names = SPAN(DNS("\x0c", "example.com\0")));
	CASE("malformed DNS", c.leaf.names = SPAN(DNS("\x0c", ".example.com")));
	CASE(ACCEPTED, c.leaf.names = SPAN(DNS("\x0d", "*.example.com")); c.host = "a.example.com");
	CASE("empty and subjectAltName is not critical", c.leaf.subject = "");
	CASE(ACCEPTED, c.leaf.subject = ""; c.leaf.names_critical = true);
}

static void constraints(void **state)
{
	(void)state;
	for (int critical = 0; critical < 2; critical++) {
#define NC(reason, ...) CASE(reason, c.middle.constraints_critical = critical; __VA_ARGS__)
		NC(ACCEPTED, c.middle.permitted = SPAN(DNS("\x0b", "example.com")));
		NC(ACCEPTED, c.middle.permitted = SPAN(DNS("\x03", "com")));
		NC("not permitted", c.middle.permitted = SPAN(DNS("\x0b", "example.org")));
		NC("not permitted", c.middle.permitted = SPAN(DNS("\x0a", "xample.com")));
		NC("not permitted", c.middle.permitted = SPAN(DNS("\x0f", "www.example.com")));
		NC("excluded", c.middle.excluded = SPAN(DNS("\x0b", "EXAMPLE.com")));
		NC("excluded", c.middle.excluded = SPAN(DNS("\x00", "")));
		NC(ACCEPTED, c.middle.excluded = SPAN(DNS("\x0f", "www.example.com")));
		NC("excluded", c.middle.permitted = SPAN(DNS("\x03", "com"));
		   c.middle.excluded = SPAN(DNS("\x0b", "example.com")));
		NC("malformed", c.middle.permitted = SPAN(DNS("\x0c", ".example.com")));
		NC("malformed", c.middle.permitted = SPAN(DNS("\x0d", "*.example.com")));
		/* a wildcard is all of its names */
		NC("excluded", c.middle.excluded = SPAN(DNS("\x0d", "x.example.com"));
		   c.leaf.names = SPAN(DNS("\x0d", "*.example.com")); c.host = "y.example.com");
		NC("not permitted", c.middle.permitted = SPAN(DNS("\x0d", "x.example.com"));
		   c.leaf.names = SPAN(DNS("\x0d", "*.example.com")); c.host = "x.example.com");
		NC(ACCEPTED, c.middle.permitted = SPAN(DNS("\x0b", "example.com"));
		   c.leaf.names = SPAN(DNS("\x0d", "*.example.com")); c.host = "x.example.com");
		/* the other names of the certificate count too */
		NC("not permitted", c.middle.permitted = SPAN(DNS("\x0b", "example.com"));
		   c.leaf.names = SPAN(DNS("\x0b", "example.com") DNS("\x08", "evil.org")));
		/* a kind that is not spoken of is free */
		NC(ACCEPTED, c.middle.permitted = SPAN("\x87\x08\xc0\x00\x02\x00\xff\xff\xff\x00"));
		NC(ACCEPTED, c.middle.permitted = SPAN("\x87\x08\xc0\x00\x02\x00\xff\xff\xff\x00");
		   c.leaf.names = SPAN(IPV4); c.host = "192.0.2.1");
		NC("not permitted", c.middle.permitted = SPAN("\x87\x08\xc0\x00\x03\x00\xff\xff\xff\x00");
		   c.leaf.names = SPAN(IPV4); c.host = "192.0.2.1");
		NC("excluded", c.middle.excluded = SPAN("\x87\x08\xc0\x00\x00\x00\xff\xff\x00\x00");
		   c.leaf.names = SPAN(IPV4); c.host = "192.0.2.1");
		NC("malformed", c.middle.excluded = SPAN("\x87\x08\xc0\x00\x00\x00\xff\x00\xff\x00"));
		NC("malformed", c.middle.excluded = SPAN("\x87\x05\xc0\x00\x00\x00\xff"));
		/* mail addresses are not compared: refused as soon as both speak of them */
		NC("not permitted", c.middle.permitted = SPAN("\x81\x05"
							      "a.com");
		   c.leaf.names = SPAN(DNS("\x0b", "example.com") "\x81\x07"
								  "x@a.com"));
		NC(ACCEPTED, c.middle.permitted = SPAN("\x81\x05"
						       "a.com"));
#undef NC
	}
	CASE("excluded", c.root.excluded = SPAN(DNS("\x0b", "example.com")));
}

/* CN=leaf as UTF8String, and in the certificate as mbedTLS writes it */
#define DIRECTORY(cn_len, seq, set, rdn, top, cn)                                                            \
	"\xa4" top "\x30" rdn "\x31" set "\x30" seq "\x06\x03\x55\x04\x03\x0c" cn_len cn
#define DIRECTORY_4(cn) DIRECTORY("\x04", "\x0b", "\x0d", "\x0f", "\x11", cn)

static void directory_names(void **state)
{
	(void)state;
	CASE(ACCEPTED, c.middle.permitted = SPAN(DIRECTORY_4("leaf")));
	CASE(ACCEPTED, c.middle.permitted = SPAN(DIRECTORY_4("LEAF")));
	CASE("not permitted", c.middle.permitted = SPAN(DIRECTORY_4("reef")));
	CASE("excluded", c.middle.excluded = SPAN(DIRECTORY_4("leaf")));
	CASE(ACCEPTED, c.middle.excluded = SPAN(DIRECTORY_4("reef")));
}

/* What mbedTLS parses in a handshake goes through cert_parse.c: the linker has been asked. */
static void critical_constraints_in_a_handshake(void **state)
{
	(void)state;
	struct mint m = mint_intermediate();
	m.permitted = SPAN(DNS("\x0b", "example.com"));
	m.constraints_critical = true;
	mbedtls_x509_crt made, parsed;
	mbedtls_x509_crt_init(&made);
	mbedtls_x509_crt_init(&parsed);
	assert_int_equal(mint_add(&made, &m), 0);
	assert_int_equal(mbedtls_x509_crt_parse_der(&parsed, made.raw.p, made.raw.len), 0);
	mbedtls_x509_crt_free(&made);
	mbedtls_x509_crt_free(&parsed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(constraints),
		cmocka_unit_test(directory_names),
		cmocka_unit_test(critical_constraints_in_a_handshake),
	};
	return cmocka_run_group_tests(tests, NULL, verify_case_tear_down);
}

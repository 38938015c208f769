/* One thing wrong at a time in an otherwise good chain: refused, and for that reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/check.h"
#include "support/mint.h"
#include "tls/cert_parse.h"
#include "tls/verify.h"

#define IN_2026	 1782000000 /* 21 June */
#define ACCEPTED NULL

struct chain {
	struct mint root, middle, leaf;
	const char *host;
	int64_t at;
};

static uint8_t alert; /* of the last refusal */

static bool judge(const struct chain *c, struct error *err)
{
	struct verify_result result = {.alert = 0};
	mbedtls_x509_crt root, sent;
	mbedtls_x509_crt_init(&root);
	mbedtls_x509_crt_init(&sent);
	assert_int_equal(mint_add(&root, &c->root), 0);
	bool ok = mint_add(&sent, &c->leaf) == 0 && mint_add(&sent, &c->middle) == 0;
	struct trust *trust = mint_trust(&root);
	struct verify_request rq = {.chain = &sent, .trust = trust, .host = c->host, .at = c->at};
	ok = ok ? verify_chain(&rq, &result, err) : error_set(err, ERR_TLS_CERTIFICATE, "cannot be parsed");
	alert = result.alert;
	trust_free(trust);
	mbedtls_x509_crt_free(&root);
	mbedtls_x509_crt_free(&sent);
	return ok;
}

static struct chain good(void)
{
	return (struct chain){mint_root(), mint_intermediate(), mint_leaf(), "example.com", IN_2026};
}

static void expect(int line, const struct chain *c, const char *reason)
{
	struct error err = {0};
	bool ok = judge(c, &err);
	if (ok != !reason)
		fail_msg("line %d: %s", line, ok ? "accepted" : err.text);
	if (reason && !strstr(err.text, reason))
		fail_msg("line %d: for another reason: %s", line, err.text);
}

/* CASE(reason, what to change in c) */
#define CASE(reason, ...)                                                                                    \
	do {                                                                                                 \
		struct chain c = good();                                                                     \
		__VA_ARGS__;                                                                                 \
		expect(__LINE__, &c, reason);                                                                \
	} while (0)

#define DNS(n, text) "\x82" n text
#define IPV4	     "\x87\x04\xc0\x00\x02\x01" /* 192.0.2.1 */

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

static void trust_errors(void **state)
{
	(void)state;
	char path[] = "/tmp/np-bad-XXXXXX";
	int fd = mkstemp(path);
	struct trust *t = trust_new();
	struct error err;
	assert_false(trust_add_file(t, path, &err));
	assert_non_null(strstr(err.text, "no certificate in it"));
	const char *text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_false(trust_add_file(t, path, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "certificate 1 cannot be read"));
	unlink(path);
	assert_false(trust_add_file(t, path, &err));
	assert_non_null(strstr(err.text, "No such file"));
	assert_false(trust_add_directory(t, path, &err));
	trust_free(t);
}

static void the_system_roots_are_usable(void **state)
{
	(void)state;
	struct trust *t = trust_new();
	struct error err;
	size_t skipped;
	if (!trust_add_system(t, &skipped, &err)) {
		trust_free(t);
		skip();
	}
	assert_int_equal(skipped, 0);
	assert_true(trust_count(t) > 50);
	trust_free(t);
}

static int teardown(void **state)
{
	(void)state;
	mint_free();
	return 0;
}

/* CLIENT(reason, alert, what to change in c): the same chain, shown by a client; it proves no name. */
#define CLIENT(reason, says, ...)                                                                            \
	do {                                                                                                 \
		struct chain c = good();                                                                     \
		c.host = NULL;                                                                               \
		c.leaf.purposes = "c";                                                                       \
		c.leaf.names.p = NULL;                                                                       \
		__VA_ARGS__;                                                                                 \
		expect(__LINE__, &c, reason);                                                                \
		assert_int_equal(alert, says);                                                               \
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
	assert_int_equal(alert, UNSUPPORTED);
	CASE("expired", c.leaf.to = "20260501000000");
	assert_int_equal(alert, EXPIRED);

	struct verify_result result;
	struct error err;
	struct verify_request rq = {.at = IN_2026};
	assert_false(verify_chain(&rq, &result, &err));
	assert_string_equal(err.text, "the client sent no certificate");
	assert_int_equal(result.alert, REQUIRED);
	assert_int_equal(err.hop, HOP_CLIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_and_form),
		cmocka_unit_test(roles),
		cmocka_unit_test(clients),
		cmocka_unit_test(names),
		cmocka_unit_test(extensions),
		cmocka_unit_test(constraints),
		cmocka_unit_test(directory_names),
		cmocka_unit_test(critical_constraints_in_a_handshake),
		cmocka_unit_test(dead_ends_are_left),
		cmocka_unit_test(a_maze_is_refused),
		cmocka_unit_test(a_pinned_leaf),
		cmocka_unit_test(trust_errors),
		cmocka_unit_test(the_system_roots_are_usable),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}

#include "verify_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tls/trust.h"
#include "tls/verify.h"

uint8_t verify_case_alert;

static bool judge(const struct verify_case *c, struct error *err)
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
	verify_case_alert = result.alert;
	trust_free(trust);
	mbedtls_x509_crt_free(&root);
	mbedtls_x509_crt_free(&sent);
	return ok;
}

struct verify_case verify_case_good(void)
{
	return (struct verify_case){mint_root(), mint_intermediate(), mint_leaf(), "example.com", IN_2026};
}

void verify_case_expect(int line, const struct verify_case *c, const char *reason)
{
	struct error err = {0};
	bool ok = judge(c, &err);
	if (ok != !reason)
		fail_msg("line %d: %s", line, ok ? "accepted" : err.text);
	if (reason && !strstr(err.text, reason))
		fail_msg("line %d: for another reason: %s", line, err.text);
}

int verify_case_tear_down(void **state)
{
	(void)state;
	mint_free();
	return 0;
}

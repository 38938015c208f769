#include "tls/verify_file.h"

#include "tls/cert_parse.h"
#include "tls/entropy.h"
#include "tls/tls_error.h"
#include "tls/verify.h"

/* The first certificate that cannot be read ends it, as it ends a handshake. */
static bool on_certificate(void *arg, size_t number, int rc)
{
	struct error *err = arg;
	char why[TLS_REASON_MAX];
	if (!rc)
		return true;
	return error_set(err, ERR_TLS_CERTIFICATE, "certificate %zu of the chain cannot be read: %s", number,
			 tls_reason(rc, why));
}

static bool read_chain(mbedtls_x509_crt *chain, const char *path, struct error *err)
{
	struct buf text;
	struct error why = {0};
	bool ok = cert_read_file(&text, path, err);
	if (ok && !cert_parse_all(chain, buf_span(&text), on_certificate, &why))
		ok = error_set(err, ERR_TLS_CERTIFICATE, "%s: no certificate in it", path);
	buf_free(&text);
	if (ok && why.kind) {
		*err = why;
		return false;
	}
	return ok;
}

bool verify_chain_file(const char *ca_file, const char *host, int64_t at, const char *chain_file,
		       struct error *err)
{
	struct trust *trust = trust_new();
	mbedtls_x509_crt chain;
	mbedtls_x509_crt_init(&chain);
	size_t skipped;
	bool ok = entropy_start(err) &&
		  (ca_file ? trust_add_file(trust, ca_file, err) : trust_add_system(trust, &skipped, err)) &&
		  read_chain(&chain, chain_file, err);
	struct verify_request rq = {.chain = &chain, .trust = trust, .host = host, .at = at};
	ok = ok && verify_chain(&rq, NULL, err);
	mbedtls_x509_crt_free(&chain);
	trust_free(trust);
	return ok;
}

#include "nsm/signer.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

#define SCALAR_SIZE 48

static int psa_rng(void *arg, unsigned char *out, size_t n)
{
	(void)arg;
	return psa_generate_random(out, n) == PSA_SUCCESS ? 0 : -1;
}

/* Exactly one, in PEM. */
static bool parse_certificate(struct span pem, mbedtls_x509_crt *crt, struct error *err)
{
	char *text = mem_text_n(pem.p, pem.n); /* the parser knows PEM by a 0 at the end */
	bool good = strstr(text, "-----BEGIN ") &&
		    mbedtls_x509_crt_parse(crt, (const uint8_t *)text, pem.n + 1) == 0 && !crt->next;
	free(text);
	return good || error_set(err, ERR_CONFIG, "the signer's certificate is not one certificate in PEM");
}

static bool import(mbedtls_pk_context *pk, struct es384_key *key, struct error *err)
{
	uint8_t scalar[SCALAR_SIZE];
	size_t n;
	if (!mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA) ||
	    mbedtls_pk_ec(*pk)->private_grp.id != MBEDTLS_ECP_DP_SECP384R1 ||
	    mbedtls_ecp_write_key_ext(mbedtls_pk_ec(*pk), &n, scalar, sizeof scalar) != 0)
		return error_set(err, ERR_CONFIG, "the signer's key is not one on the curve P-384");
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	psa_set_key_type(&a, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
	psa_set_key_algorithm(&a, PSA_ALG_ECDSA(PSA_ALG_SHA_384));
	psa_set_key_usage_flags(&a, PSA_KEY_USAGE_SIGN_MESSAGE);
	psa_status_t status = psa_import_key(&a, scalar, n, &key->id);
	mem_wipe(scalar, sizeof scalar);
	return status == PSA_SUCCESS || error_set(err, ERR_CONFIG, "the signer's key is not valid");
}

bool signer_load(struct span certificate, struct span private_key, struct es384_key *key, struct error *err)
{
	mbedtls_x509_crt crt;
	mbedtls_pk_context pk;
	CHECK(psa_crypto_init() == PSA_SUCCESS);
	mbedtls_x509_crt_init(&crt);
	mbedtls_pk_init(&pk);
	bool good = parse_certificate(certificate, &crt, err);
	if (good) {
		char *text = mem_text_n(private_key.p, private_key.n);
		good = mbedtls_pk_parse_key(&pk, (const uint8_t *)text, private_key.n + 1, NULL, 0, psa_rng,
					    NULL) == 0;
		mem_wipe(text, private_key.n);
		free(text);
		if (!good)
			error_set(err, ERR_CONFIG,
				  "the signer's key is not a private key in PEM without a password");
	}
	if (good && mbedtls_pk_check_pair(&crt.pk, &pk, psa_rng, NULL) != 0)
		good = error_set(err, ERR_CONFIG, "the signer's key is not that of its certificate");
	good = good && import(&pk, key, err);
	mbedtls_pk_free(&pk);
	mbedtls_x509_crt_free(&crt);
	return good;
}

bool signer_fingerprint(struct span certificate, uint8_t out[SHA384_SIZE], struct error *err)
{
	mbedtls_x509_crt crt;
	mbedtls_x509_crt_init(&crt);
	bool good = parse_certificate(certificate, &crt, err);
	if (good)
		digest_sha384((struct span){(const char *)crt.raw.p, crt.raw.len}, SPAN(""), out);
	mbedtls_x509_crt_free(&crt);
	return good;
}

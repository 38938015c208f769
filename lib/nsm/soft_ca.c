#include "nsm/soft_ca.h"

#ifndef NP_ENCLAVE_BUILD

#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/mem.h"

enum { HOUR = 3600, DAY = 24 * HOUR, LEAF_LIFE = 3 * HOUR };

enum level { ROOT, INSTANCE, LEAF, LEVELS };

static const struct {
	const char *name;
	int64_t life;
	int pathlen; /* -1: any number */
	unsigned usage;
} shapes[LEVELS] = {
	[ROOT] = {"CN=nitroproxy software NSM root,O=nitroproxy,OU=insecure", INT64_C(30) * 365 * DAY, -1,
		  MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN},
	[INSTANCE] = {"CN=instance.nitroproxy-software-nsm,O=nitroproxy,OU=insecure", DAY, 0,
		      MBEDTLS_X509_KU_KEY_CERT_SIGN},
	[LEAF] = {"CN=leaf.nitroproxy-software-nsm,O=nitroproxy,OU=insecure", LEAF_LIFE, -1,
		  MBEDTLS_X509_KU_DIGITAL_SIGNATURE},
};

struct soft_ca {
	struct es384_key keys[LEVELS];
	uint8_t der[LEVELS][ATTESTATION_CERT_MAX];
	size_t der_len[LEVELS];
	int64_t leaf_from;
};

static void format_time(int64_t t, char out[16])
{
	time_t seconds = (time_t)t;
	struct tm tm;
	CHECK(gmtime_r(&seconds, &tm) && strftime(out, 16, "%Y%m%d%H%M%S", &tm) == 14);
}

/* The library's writer, filled in and run: 0, or its error. Writes DER at the end of the buffer. */
static int write_certificate(struct soft_ca *ca, enum level level, int64_t now, mbedtls_x509write_cert *w,
			     mbedtls_pk_context *subject, mbedtls_pk_context *issuer)
{
	enum level above = level == ROOT ? ROOT : level - 1;
	uint8_t serial[16];
	char from[16], to[16];
	format_time(now, from);
	format_time(now + shapes[level].life, to);
	int rc = psa_generate_random(serial, sizeof serial);
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, and no leading zero */
	mbedtls_x509write_crt_set_version(w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA384);
	mbedtls_x509write_crt_set_subject_key(w, subject);
	mbedtls_x509write_crt_set_issuer_key(w, issuer);
	rc = rc ? rc : mbedtls_pk_copy_from_psa(ca->keys[level].id, subject);
	rc = rc ? rc : mbedtls_pk_copy_from_psa(ca->keys[above].id, issuer);
	rc = rc ? rc : mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof serial);
	rc = rc ? rc : mbedtls_x509write_crt_set_validity(w, from, to);
	rc = rc ? rc : mbedtls_x509write_crt_set_subject_name(w, shapes[level].name);
	rc = rc ? rc : mbedtls_x509write_crt_set_issuer_name(w, shapes[above].name);
	rc = rc ? rc : mbedtls_x509write_crt_set_basic_constraints(w, level != LEAF, shapes[level].pathlen);
	rc = rc ? rc : mbedtls_x509write_crt_set_key_usage(w, shapes[level].usage);
	if (rc)
		return rc;
	return mbedtls_x509write_crt_der(w, ca->der[level], sizeof ca->der[level], mbedtls_psa_get_random,
					 MBEDTLS_PSA_RANDOM_STATE);
}

/* A new key and certificate for that level, signed by the one above. */
static bool issue(struct soft_ca *ca, enum level level, int64_t now, struct error *err)
{
	es384_free(&ca->keys[level]);
	if (!es384_generate(&ca->keys[level], true, err))
		return false;
	mbedtls_x509write_cert w;
	mbedtls_pk_context subject, issuer;
	mbedtls_x509write_crt_init(&w);
	mbedtls_pk_init(&subject);
	mbedtls_pk_init(&issuer);
	int len = write_certificate(ca, level, now, &w, &subject, &issuer);
	mbedtls_x509write_crt_free(&w);
	mbedtls_pk_free(&subject);
	mbedtls_pk_free(&issuer);
	if (len <= 0)
		return error_set(err, ERR_INTERNAL, "cannot make a certificate (mbedTLS -0x%04x)",
				 (unsigned)-len);
	ca->der_len[level] = (size_t)len;
	memmove(ca->der[level], ca->der[level] + sizeof ca->der[level] - len, (size_t)len);
	return true;
}

static bool issue_leaf(struct soft_ca *ca, int64_t now, struct error *err)
{
	ca->leaf_from = now;
	return issue(ca, INSTANCE, now, err) && issue(ca, LEAF, now, err);
}

struct soft_ca *soft_ca_new(int64_t now, struct error *err)
{
	struct soft_ca *ca = mem_zero(sizeof *ca);
	CHECK(psa_crypto_init() == PSA_SUCCESS);
	if (issue(ca, ROOT, now, err) && issue_leaf(ca, now, err))
		return ca;
	soft_ca_free(ca);
	return NULL;
}

void soft_ca_free(struct soft_ca *ca)
{
	if (!ca)
		return;
	for (enum level i = 0; i < LEVELS; i++)
		es384_free(&ca->keys[i]);
	free(ca);
}

bool soft_ca_renew(struct soft_ca *ca, int64_t now, struct error *err)
{
	bool fresh = now >= ca->leaf_from && now - ca->leaf_from < LEAF_LIFE / 2;
	return fresh || issue_leaf(ca, now, err);
}

static struct span der(const struct soft_ca *ca, enum level level)
{
	return (struct span){(const char *)ca->der[level], ca->der_len[level]};
}

void soft_ca_chain(const struct soft_ca *ca, struct attestation *a)
{
	a->bundle[0] = der(ca, ROOT);
	a->bundle[1] = der(ca, INSTANCE);
	a->bundle_count = 2;
	a->certificate = der(ca, LEAF);
}

const struct es384_key *soft_ca_key(const struct soft_ca *ca)
{
	return &ca->keys[LEAF];
}

#endif

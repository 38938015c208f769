#include "tls/cert.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tls/entropy.h"
#include "tls/server_name.h"
#include "tls/tls_error.h"

#define CA_NAME_MAX	80
#define COMMON_NAME_MAX (3 + 64) /* with its "CN=" (RFC 5280 appendix A.1) */

struct cert_ca {
	char name[CA_NAME_MAX]; /* "CN=.." */
	mbedtls_pk_context key;
	char pem[CERT_PEM_MAX];
};

static bool fail(struct error *err, int rc)
{
	char why[TLS_REASON_MAX];
	return error_set(err, ERR_INTERNAL, "making a certificate: %s", tls_reason(rc, why));
}

static int make_key(mbedtls_pk_context *key)
{
	int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	return rc ? rc
		  : mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), entropy_rng, NULL);
}

static int set_validity(mbedtls_x509write_cert *w, int64_t now, unsigned days)
{
	char from[16], to[16];
	time_t start = now - 3600, end = now + (int64_t)days * 86400;
	struct tm tm;
	strftime(from, sizeof from, "%Y%m%d%H%M%S", gmtime_r(&start, &tm));
	strftime(to, sizeof to, "%Y%m%d%H%M%S", gmtime_r(&end, &tm));
	return mbedtls_x509write_crt_set_validity(w, from, to);
}

/* A random serial of 16 bytes, positive and never with a zero in front. */
static int set_serial(mbedtls_x509write_cert *w)
{
	unsigned char serial[16];
	entropy_fill(serial, sizeof serial);
	serial[0] = (serial[0] & 0x7f) | 0x40;
	return mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof serial);
}

/* What CA and leaf have in common. The first call that fails decides; mbedTLS's return 0 or less. */
static int set_common(mbedtls_x509write_cert *w, struct cert_ca *ca, const char *subject,
		      mbedtls_pk_context *key, bool is_ca, int64_t now, unsigned days)
{
	mbedtls_x509write_crt_set_version(w, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(w, key);
	mbedtls_x509write_crt_set_issuer_key(w, &ca->key);
	unsigned usage = is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
			       : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
	int rc = set_serial(w);
	rc = rc ? rc : set_validity(w, now, days);
	rc = rc ? rc : mbedtls_x509write_crt_set_subject_name(w, subject);
	rc = rc ? rc : mbedtls_x509write_crt_set_issuer_name(w, ca->name);
	rc = rc ? rc : mbedtls_x509write_crt_set_basic_constraints(w, is_ca, is_ca ? 0 : -1);
	rc = rc ? rc : mbedtls_x509write_crt_set_key_usage(w, usage);
	rc = rc ? rc : mbedtls_x509write_crt_set_subject_key_identifier(w);
	return rc ? rc : mbedtls_x509write_crt_set_authority_key_identifier(w);
}

static int set_names(mbedtls_x509write_cert *w, const char *const *hosts)
{
	mbedtls_x509_san_list list[CERT_HOSTS_MAX] = {0};
	struct server_name names[CERT_HOSTS_MAX];
	size_t n = 0;
	for (; hosts[n]; n++) {
		if (n == CERT_HOSTS_MAX || !server_name_init(&names[n], hosts[n]))
			return MBEDTLS_ERR_X509_BAD_INPUT_DATA;
		struct server_name *name = &names[n];
		mbedtls_x509_buf *value = &list[n].node.san.unstructured_name;
		list[n].node.type = name->ip_len ? MBEDTLS_X509_SAN_IP_ADDRESS : MBEDTLS_X509_SAN_DNS_NAME;
		value->p = name->ip_len ? name->ip : (unsigned char *)name->text;
		value->len = name->ip_len ? name->ip_len : strlen(name->text);
		if (n)
			list[n - 1].next = &list[n];
	}
	return n ? mbedtls_x509write_crt_set_subject_alternative_name(w, list)
		 : MBEDTLS_ERR_X509_BAD_INPUT_DATA;
}

static int set_server(mbedtls_x509write_cert *w, const char *const *hosts)
{
	mbedtls_asn1_sequence purpose = {.buf = {.tag = MBEDTLS_ASN1_OID,
						 .p = (unsigned char *)(uintptr_t)MBEDTLS_OID_SERVER_AUTH,
						 .len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)}};
	int rc = set_names(w, hosts);
	return rc ? rc : mbedtls_x509write_crt_set_ext_key_usage(w, &purpose);
}

static int write_pem(mbedtls_x509write_cert *w, char pem[CERT_PEM_MAX])
{
	return mbedtls_x509write_crt_pem(w, (unsigned char *)pem, CERT_PEM_MAX, entropy_rng, NULL);
}

struct cert_ca *cert_ca_new(const char *name, int64_t now, unsigned days, struct error *err)
{
	if (!entropy_start(err))
		return NULL;
	struct cert_ca *ca = mem_zero(sizeof *ca);
	mbedtls_pk_init(&ca->key);
	snprintf(ca->name, sizeof ca->name, "CN=%s", name);
	mbedtls_x509write_cert w;
	mbedtls_x509write_crt_init(&w);
	int rc = make_key(&ca->key);
	rc = rc ? rc : set_common(&w, ca, ca->name, &ca->key, true, now, days);
	rc = rc ? rc : write_pem(&w, ca->pem);
	mbedtls_x509write_crt_free(&w);
	if (!rc)
		return ca;
	fail(err, rc);
	cert_ca_free(ca);
	return NULL;
}

void cert_ca_free(struct cert_ca *ca)
{
	if (!ca)
		return;
	mbedtls_pk_free(&ca->key);
	free(ca);
}

const char *cert_ca_pem(const struct cert_ca *ca)
{
	return ca->pem;
}

/* ca NULL: signed by its own key. */
static int issue(struct cert_ca *ca, mbedtls_pk_context *key, const char *const *hosts, int64_t now,
		 unsigned days, char chain[CERT_PEM_MAX], char key_text[CERT_PEM_MAX])
{
	mbedtls_x509write_cert w;
	mbedtls_x509write_crt_init(&w);
	/* For people only: what counts are the alternative names. */
	char subject[CA_NAME_MAX];
	int n = snprintf(subject, sizeof subject, "CN=%s", hosts[0]);
	if (n > COMMON_NAME_MAX)
		snprintf(subject, sizeof subject, "CN=server");
	int rc = make_key(key);
	struct cert_ca self = {.key = *key}; /* borrowed, like the name */
	memcpy(self.name, subject, sizeof subject);
	rc = rc ? rc : set_common(&w, ca ? ca : &self, subject, key, false, now, days);
	rc = rc ? rc : set_server(&w, hosts);
	rc = rc ? rc : write_pem(&w, chain);
	rc = rc ? rc : mbedtls_pk_write_key_pem(key, (unsigned char *)key_text, CERT_PEM_MAX);
	mbedtls_x509write_crt_free(&w);
	return rc;
}

bool cert_issue(struct cert_ca *ca, const char *const *hosts, int64_t now, unsigned days,
		struct buf *chain_pem, struct buf *key_pem, struct error *err)
{
	char chain[CERT_PEM_MAX], key_text[CERT_PEM_MAX];
	mbedtls_pk_context key;
	mbedtls_pk_init(&key);
	int rc = issue(ca, &key, hosts, now, days, chain, key_text);
	mbedtls_pk_free(&key);
	bool ok = rc ? fail(err, rc)
		     : (buf_add_text(chain_pem, chain) && buf_add_text(key_pem, key_text)) ||
				  error_set(err, ERR_INTERNAL, "making a certificate: no room for it");
	mem_wipe(key_text, sizeof key_text);
	return ok;
}

bool cert_issue_self(const char *const *hosts, int64_t now, unsigned days, struct buf *chain_pem,
		     struct buf *key_pem, struct error *err)
{
	return entropy_start(err) && cert_issue(NULL, hosts, now, days, chain_pem, key_pem, err);
}

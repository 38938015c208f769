#include "tls/verify_cert.h"

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>
#include <time.h>

#include "tls/verify.h"

#define REFUSE(...) error_set(err, ERR_TLS_CERTIFICATE, __VA_ARGS__)

#define RSA_MIN_BITS	      2048
#define RSA_MAX_BITS	      8192 /* larger ones only cost time, and so do large exponents */
#define RSA_MAX_EXPONENT_BITS 64

int64_t verify_seconds(const mbedtls_x509_time *t)
{
	struct tm tm = {
		.tm_year = t->year - 1900,
		.tm_mon = t->mon - 1,
		.tm_mday = t->day,
		.tm_hour = t->hour,
		.tm_min = t->min,
		.tm_sec = t->sec,
	};
	return timegm(&tm);
}

static bool check_time(const mbedtls_x509_crt *crt, int64_t at, struct error *err)
{
	const mbedtls_x509_time *from = &crt->valid_from, *to = &crt->valid_to;
	if (at < verify_seconds(from))
		return REFUSE("not valid before %04d-%02d-%02d", from->year, from->mon, from->day);
	if (at > verify_seconds(to))
		return REFUSE("expired on %04d-%02d-%02d", to->year, to->mon, to->day);
	return true;
}

static size_t rsa_exponent_bits(const mbedtls_pk_context *pk)
{
	mbedtls_mpi e;
	mbedtls_mpi_init(&e);
	bool good = mbedtls_rsa_export(mbedtls_pk_rsa(*pk), NULL, NULL, NULL, NULL, &e) == 0;
	size_t bits = good ? mbedtls_mpi_bitlen(&e) : SIZE_MAX;
	mbedtls_mpi_free(&e);
	return bits;
}

bool verify_key_cost(const mbedtls_x509_crt *crt, struct error *err)
{
	if (!mbedtls_pk_can_do(&crt->pk, MBEDTLS_PK_RSA))
		return true;
	size_t bits = mbedtls_pk_get_bitlen(&crt->pk);
	if (bits > RSA_MAX_BITS)
		return REFUSE("its RSA key has %zu bits; %d to %d are allowed", bits, RSA_MIN_BITS,
			      RSA_MAX_BITS);
	return rsa_exponent_bits(&crt->pk) <= RSA_MAX_EXPONENT_BITS ||
	       REFUSE("its RSA key has an exponent of more than %d bits", RSA_MAX_EXPONENT_BITS);
}

static bool check_key(const mbedtls_x509_crt *crt, struct error *err)
{
	const mbedtls_pk_context *pk = &crt->pk;
	size_t bits = mbedtls_pk_get_bitlen(pk);
	if (mbedtls_pk_can_do(pk, MBEDTLS_PK_RSA)) {
		if (bits < RSA_MIN_BITS || bits % 8)
			return REFUSE("its RSA key has %zu bits; %d to %d are allowed", bits, RSA_MIN_BITS,
				      RSA_MAX_BITS);
		return verify_key_cost(crt, err);
	}
	if (!mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA))
		return REFUSE("its key is neither RSA nor ECDSA");
	switch (mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk))) {
	case MBEDTLS_ECP_DP_SECP256R1:
	case MBEDTLS_ECP_DP_SECP384R1:
	case MBEDTLS_ECP_DP_SECP521R1:
		return true;
	default:
		return REFUSE("its key is on a curve other than P-256, P-384 and P-521");
	}
}

/* INTEGER of 1 to 20 octets, positive (RFC 5280 section 4.1.2.2). */
static bool check_serial(const mbedtls_x509_crt *crt, struct error *err)
{
	const mbedtls_x509_buf *s = &crt->serial;
	if (!s->len || s->len > MBEDTLS_X509_RFC5280_MAX_SERIAL_LEN)
		return REFUSE("its serial number has %zu bytes; 1 to 20 are allowed", s->len);
	bool zero = true;
	for (size_t i = 0; i < s->len; i++)
		zero = zero && !s->p[i];
	return zero || s->p[0] & 0x80 ? REFUSE("its serial number is not positive") : true;
}

static bool is_empty(struct span dn)
{
	return dn.n <= 2;
}

static bool check_common(const struct cert_view *v, int64_t at, struct error *err)
{
	if (v->crt->version != 3)
		return REFUSE("it is of X.509 version %d, not 3", v->crt->version);
	return check_time(v->crt, at, err) && check_key(v->crt, err);
}

static bool names_match(const struct cert_view *v, const struct server_name *name)
{
	struct span rest = v->names, value;
	unsigned kind;
	while (general_name_next(&rest, &kind, &value))
		if ((kind == NAME_DNS && server_name_matches_dns(name, value)) ||
		    (kind == NAME_IP && server_name_matches_ip(name, value)))
			return true;
	return false;
}

static bool check_server(const struct cert_view *v, const struct server_name *name, struct error *err)
{
	if (v->has_purpose && !v->purpose_server)
		return REFUSE("its extended key usage does not name serverAuth");
	if (!v->has_names)
		return REFUSE("it has no subjectAltName; a common name is not enough");
	if (is_empty(cert_subject(v->crt)) && !v->names_critical)
		return REFUSE("its subject is empty and subjectAltName is not critical");
	if (!names_match(v, name))
		return REFUSE(name->ip_len ? "it is not valid for this IP address"
					   : "it is not valid for this host name");
	return true;
}

/* The CA is the user's own, and may have issued to servers, too: what is a client's must say so. */
static bool check_client(const struct cert_view *v, struct error *err)
{
	return v->purpose_client || REFUSE("its extended key usage does not name clientAuth");
}

bool verify_leaf(const struct cert_view *v, const struct server_name *name, int64_t at, struct error *err)
{
	if (!check_common(v, at, err) || !check_serial(v->crt, err))
		return false;
	if (v->is_ca)
		return REFUSE("it is a CA certificate, not a %s's", name ? "server" : "client");
	if (v->has_usage && v->usage_certs)
		return REFUSE("its key usage lets it sign certificates, which a %s's must not",
			      name ? "server" : "client");
	if (v->has_usage && !v->usage_signs)
		return REFUSE("its key usage does not allow signatures");
	return name ? check_server(v, name, err) : check_client(v, err);
}

uint8_t verify_leaf_alert(const struct cert_view *v, bool of_client, int64_t at)
{
	if (!check_time(v->crt, at, NULL))
		return MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED;
	bool purpose = of_client ? v->purpose_client : v->purpose_server || !v->has_purpose;
	return purpose ? MBEDTLS_SSL_ALERT_MSG_BAD_CERT : MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT;
}

bool verify_issuer(const struct cert_view *v, bool is_root, bool of_client, int64_t at, struct error *err)
{
	/* Roots with serial number 0 are in use. */
	if (!check_common(v, at, err) || (!is_root && !check_serial(v->crt, err)))
		return false;
	if (!v->is_ca)
		return REFUSE("it is no CA (basicConstraints)");
	if (v->has_usage && !v->usage_certs)
		return REFUSE("its key usage does not let it sign certificates");
	bool purpose = of_client ? v->purpose_client : v->purpose_server;
	if (v->has_purpose && !purpose)
		return REFUSE("its extended key usage does not name %s",
			      of_client ? "clientAuth" : "serverAuth");
	return true;
}

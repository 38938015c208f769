#include "tls/tls_error.h"

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/cipher.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509.h>
#include <stdio.h>

#include "base/check.h"
#include "base/mem.h"

/* RFC 8446 section 6.2 and the IANA registry of alerts. */
static const struct {
	int number;
	const char *name;
} alerts[] = {
	{10, "unexpected_message"},
	{20, "bad_record_mac"},
	{22, "record_overflow"},
	{40, "handshake_failure"},
	{42, "bad_certificate"},
	{43, "unsupported_certificate"},
	{44, "certificate_revoked"},
	{45, "certificate_expired"},
	{46, "certificate_unknown"},
	{47, "illegal_parameter"},
	{48, "unknown_ca"},
	{49, "access_denied"},
	{50, "decode_error"},
	{51, "decrypt_error"},
	{70, "protocol_version"},
	{71, "insufficient_security"},
	{80, "internal_error"},
	{86, "inappropriate_fallback"},
	{90, "user_canceled"},
	{109, "missing_extension"},
	{110, "unsupported_extension"},
	{112, "unrecognized_name"},
	{113, "bad_certificate_status_response"},
	{115, "unknown_psk_identity"},
	{116, "certificate_required"},
	{120, "no_application_protocol"},
};

const char *tls_alert_name(int alert, char buf[TLS_REASON_MAX])
{
	const char *name = "alert";
	for (size_t i = 0; i < countof(alerts); i++)
		if (alerts[i].number == alert)
			name = alerts[i].name;
	snprintf(buf, TLS_REASON_MAX, "%s (%d)", name, alert);
	return buf;
}

const char *tls_reason(int rc, char buf[TLS_REASON_MAX])
{
	mbedtls_strerror(rc, buf, TLS_REASON_MAX);
	return buf;
}

/*
 * A code is minus the sum of a module's reason (a multiple of 0x80) and a detail below it (mbedtls/error.h).
 */
static bool is_memory(int rc)
{
	int reason = -(-rc & ~0x7f), detail = -(-rc & 0x7f);
	switch (reason) {
	case MBEDTLS_ERR_SSL_ALLOC_FAILED:
	case MBEDTLS_ERR_X509_ALLOC_FAILED:
	case MBEDTLS_ERR_PK_ALLOC_FAILED:
	case MBEDTLS_ERR_ECP_ALLOC_FAILED:
	case MBEDTLS_ERR_MD_ALLOC_FAILED:
	case MBEDTLS_ERR_CIPHER_ALLOC_FAILED:
		return true;
	default:
		return detail == MBEDTLS_ERR_MPI_ALLOC_FAILED || detail == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
	}
}

void tls_check_memory(int rc)
{
	if (rc < 0 && is_memory(rc))
		mem_exhausted();
}

void tls_must(int rc)
{
	tls_check_memory(rc);
	CHECK(rc == 0);
}

static bool set_alert(struct error *err, int alert, bool tls13_only)
{
	char name[TLS_REASON_MAX];
	if (alert == MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION && tls13_only)
		return error_set_hop(err, ERR_TLS, HOP_SERVICE,
				     "the service speaks TLS 1.2 at most; tls.min_version is TLSv1.3");
	return error_set_hop(err, ERR_TLS_ALERT, HOP_SERVICE, "the service refused with alert %s",
			     tls_alert_name(alert, name));
}

static bool set_handshake(struct error *err, int rc, bool tls13_only)
{
	char why[TLS_REASON_MAX];
	switch (rc) {
	case MBEDTLS_ERR_SSL_CONN_EOF:
		return error_set_hop(err, ERR_TLS, HOP_SERVICE,
				     "the connection ended during the TLS handshake");
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
		return error_set_hop(err, ERR_TLS, HOP_SERVICE,
				     "the service closed during the TLS handshake");
	case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
		return error_set_hop(
			err, ERR_TLS, HOP_SERVICE,
			tls13_only ? "the service speaks TLS 1.2 at most; tls.min_version is TLSv1.3"
				   : "the service speaks no version of TLS that is enabled here");
	case MBEDTLS_ERR_SSL_INVALID_RECORD:
		return error_set_hop(err, ERR_TLS, HOP_SERVICE, "what the service sent is not TLS");
	default:
		break;
	}
	/* A certificate that cannot even be parsed: MBEDTLS_ERR_X509_*, with the detail in the low bits. */
	int module = -(-rc & 0x7f80);
	bool x509 = module <= MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE && module >= MBEDTLS_ERR_X509_FATAL_ERROR;
	return error_set_hop(err, x509 ? ERR_TLS_CERTIFICATE : ERR_TLS, HOP_SERVICE,
			     x509 ? "a certificate of the service cannot be read: %s" : "TLS handshake: %s",
			     tls_reason(rc, why));
}

bool tls_error_set(struct error *err, const mbedtls_ssl_context *ssl, int rc, bool handshake)
{
	char why[TLS_REASON_MAX];
	tls_check_memory(rc);
	const mbedtls_ssl_config *conf = ssl->MBEDTLS_PRIVATE(conf);
	bool tls13_only = conf->MBEDTLS_PRIVATE(min_tls_version) == MBEDTLS_SSL_VERSION_TLS1_3;
	if (rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) /* the alert still stands where it was read to */
		return set_alert(err, ssl->MBEDTLS_PRIVATE(in_msg)[1], tls13_only && handshake);
	if (handshake)
		return set_handshake(err, rc, tls13_only);
	if (rc == 0 || rc == MBEDTLS_ERR_SSL_CONN_EOF)
		return error_set_hop(err, ERR_TRUNCATED, HOP_SERVICE,
				     "the connection ended without close_notify");
	if (rc == MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE)
		return error_set_hop(
			err, ERR_TRUNCATED, HOP_SERVICE,
			"cut: the service sent a handshake message (KeyUpdate?) that mbedTLS does not take");
	return error_set_hop(err, ERR_TLS, HOP_SERVICE, "TLS: %s", tls_reason(rc, why));
}

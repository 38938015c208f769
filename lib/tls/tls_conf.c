#include "tls/tls_conf.h"

#include <mbedtls/sha256.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "tls/entropy.h"
#include "tls/tls_conf_impl.h"
#include "tls/tls_error.h"
#include "tls/tls_suites.h"

#define TICKET_LIFETIME_S 86400
#define CHAINS_MAX	  512 /* verified chains that are remembered, some 120 bytes each */

/* The first one is what the key share in a ClientHello is for; another choice costs a round trip. */
static const uint16_t groups[] = {
	MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1,
	MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

#define ECDSA                                                                                                \
	MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,                \
		MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512
#define RSA_PSS                                                                                              \
	MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256, MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,                      \
		MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512
/* In certificates, and in TLS 1.2's key exchange. */
#define RSA_PKCS1                                                                                            \
	MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,                            \
		MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512

static const uint16_t signatures[] = {ECDSA, RSA_PSS, RSA_PKCS1, MBEDTLS_TLS1_3_SIG_NONE};

/*
 * mbedTLS 3.6.6 offers RSA-PSS for TLS 1.3 and then refuses it from a service that speaks TLS 1.2 (its pull request 10674,
 * in 3.6.7). Most services take the first that suits them; TLS 1.3 has no use for PKCS #1, wherever it stands.
 */
static const uint16_t signatures_pss_last[] = {ECDSA, RSA_PKCS1, RSA_PSS, MBEDTLS_TLS1_3_SIG_NONE};

static const uint16_t *choose_signatures(const struct tls_options *o)
{
	bool refused = MBEDTLS_VERSION_NUMBER < 0x03060700;
	return refused && o->min_version == TLS_1_2 ? signatures_pss_last : signatures;
}

static const char *alpn[] = {"http/1.1", NULL};

static bool set_protocol(struct tls_conf *c, const struct tls_options *o, struct error *err)
{
	mbedtls_ssl_config *ssl = &c->ssl;
	int endpoint = o->role == TLS_SERVER ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
	tls_must(mbedtls_ssl_config_defaults(ssl, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
					     MBEDTLS_SSL_PRESET_DEFAULT));
	if (!tls_suites_read(c->suites, o->cipher_suites, o->min_version, err))
		return false;
	mbedtls_ssl_conf_rng(ssl, entropy_rng, NULL);
	mbedtls_ssl_conf_min_tls_version(ssl, o->min_version == TLS_1_2 ? MBEDTLS_SSL_VERSION_TLS1_2
									: MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_ciphersuites(ssl, c->suites);
	mbedtls_ssl_conf_groups(ssl, groups);
	mbedtls_ssl_conf_sig_algs(ssl, choose_signatures(o));
	/* A resumed session gets keys of its own too: a ticket that leaks opens no recorded traffic. */
	mbedtls_ssl_conf_tls13_key_exchange_modes(ssl,
						  MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL |
							  MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL);
	CHECK(mbedtls_ssl_conf_alpn_protocols(ssl, alpn) == 0);
	/* Judged by verify.c, see tls_handshake.c. */
	mbedtls_ssl_conf_authmode(ssl, MBEDTLS_SSL_VERIFY_NONE);
	return true;
}

/* ---- its own certificate ---- */

/* mbedTLS wants the 0 behind the text to be counted. */
static int parse_text(struct tls_conf *c, struct span pem, bool key)
{
	char *text = mem_text_n(pem.p, pem.n);
	const unsigned char *p = (const unsigned char *)text;
	int rc = key ? mbedtls_pk_parse_key(&c->key, p, pem.n + 1, NULL, 0, entropy_rng, NULL)
		     : mbedtls_x509_crt_parse(&c->chain, p, pem.n + 1);
	mem_wipe(text, pem.n);
	free(text);
	return rc;
}

static bool set_own(struct tls_conf *c, const struct tls_options *o, struct error *err)
{
	const char *whose = o->role == TLS_SERVER ? "server" : "client";
	char why[TLS_REASON_MAX];
	int rc = parse_text(c, o->chain_pem, false);
	if (rc)
		return error_set(err, ERR_CONFIG, "%s certificate: %s", whose,
				 rc > 0 ? "a part cannot be read" : tls_reason(rc, why));
	rc = parse_text(c, o->key_pem, true);
	if (rc)
		return error_set(err, ERR_CONFIG, "%s key: %s", whose, tls_reason(rc, why));
	rc = mbedtls_pk_check_pair(&c->chain.pk, &c->key, entropy_rng, NULL);
	if (rc)
		return error_set(err, ERR_CONFIG, "%s key: not the key of the certificate", whose);
	tls_must(mbedtls_ssl_conf_own_cert(&c->ssl, &c->chain, &c->key));
	return true;
}

/* ---- client ---- */

static bool read_trust(struct tls_conf *c, const struct tls_options *o, struct error *err)
{
	c->trust = trust_new();
	for (const char *const *file = o->ca_files; file && *file; file++)
		if (!trust_add_file(c->trust, *file, err))
			return error_wrap(err, "tls.ca_file");
	if (o->ca_directory && !trust_add_directory(c->trust, o->ca_directory, err))
		return error_wrap(err, "tls.ca_directory");
	bool given = (o->ca_files && *o->ca_files) || o->ca_directory;
	return given || trust_add_system(c->trust, &c->skipped, err);
}

/* Sessions made under another trust store, or under none, must not be resumed under this one. */
static void set_identity(struct tls_conf *c, const struct tls_options *o)
{
	uint8_t seen[32 + 2] = {0}, hash[32];
	if (c->trust)
		trust_sha256(c->trust, seen);
	seen[32] = c->trust != NULL;
	seen[33] = (uint8_t)o->min_version;
	CHECK(mbedtls_sha256(seen, sizeof seen, hash, 0) == 0);
	memcpy(c->identity, hash, sizeof c->identity);
}

static bool set_client(struct tls_conf *c, const struct tls_options *o, struct error *err)
{
	if (!o->no_verify && !read_trust(c, o, err))
		return false;
	if (o->chain_pem.n && !set_own(c, o, err))
		return false;
#ifdef NP_ENCLAVE_BUILD
	if (o->at)
		return error_set(err, ERR_CONFIG,
				 "a time to verify certificates at cannot be set in an enclave build");
#endif
	c->at = o->at;
	if (c->trust && !c->at)
		c->chains = chain_cache_new(c->trust, CHAINS_MAX);
	set_identity(c, o);
	mbedtls_ssl_conf_session_tickets(&c->ssl, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
	/* Without it mbedTLS drops the tickets of TLS 1.3. */
	mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
		&c->ssl, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
	return true;
}

/* ---- server ---- */

/*
 * mbedTLS asks clients for a certificate when it is told that one is optional. What it makes of it is of no
 * account, see tls_handshake.c.
 */
static bool set_clients(struct tls_conf *c, const struct tls_options *o, struct error *err)
{
	CHECK(o->min_version == TLS_1_3 && o->no_tickets);
	mbedtls_ssl_conf_authmode(&c->ssl, MBEDTLS_SSL_VERIFY_OPTIONAL);
	c->trust = trust_new();
	for (const char *const *file = o->ca_files; *file; file++)
		if (!trust_add_file(c->trust, *file, err))
			return false;
	return true;
}

static bool set_server(struct tls_conf *c, const struct tls_options *o, struct error *err)
{
	if (!set_own(c, o, err) || (o->ca_files && *o->ca_files && !set_clients(c, o, err)))
		return false;
	if (o->no_tickets)
		return true;
	tls_must(mbedtls_ssl_ticket_setup(&c->ticket, entropy_rng, NULL, MBEDTLS_CIPHER_AES_256_GCM,
					  TICKET_LIFETIME_S));
	mbedtls_ssl_conf_session_tickets_cb(&c->ssl, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
					    &c->ticket);
	return true;
}

struct tls_conf *tls_conf_new(const struct tls_options *o, struct error *err)
{
	if (!entropy_start(err))
		return NULL;
	struct tls_conf *c = mem_zero(sizeof *c);
	c->role = o->role;
	mbedtls_ssl_config_init(&c->ssl);
	mbedtls_x509_crt_init(&c->chain);
	mbedtls_pk_init(&c->key);
	mbedtls_ssl_ticket_init(&c->ticket);
	if (set_protocol(c, o, err) &&
	    (o->role == TLS_SERVER ? set_server(c, o, err) : set_client(c, o, err)))
		return c;
	tls_conf_free(c);
	return NULL;
}

void tls_conf_free(struct tls_conf *c)
{
	if (!c)
		return;
	mbedtls_ssl_config_free(&c->ssl);
	mbedtls_x509_crt_free(&c->chain);
	mbedtls_pk_free(&c->key);
	mbedtls_ssl_ticket_free(&c->ticket);
	chain_cache_free(c->chains);
	trust_free(c->trust);
	free(c);
}

bool tls_conf_verifies(const struct tls_conf *c)
{
	return c->trust != NULL;
}

size_t tls_conf_root_count(const struct tls_conf *c)
{
	return c->trust ? trust_count(c->trust) : 0;
}

size_t tls_conf_roots_skipped(const struct tls_conf *c)
{
	return c->skipped;
}

void tls_conf_chain_stats(const struct tls_conf *c, struct chain_cache_stats *out)
{
	*out = (struct chain_cache_stats){0};
	if (c->chains)
		chain_cache_stats(c->chains, out);
}

void tls_conf_trust_sha256(const struct tls_conf *c, uint8_t out[32])
{
	memset(out, 0, 32);
	if (c->trust)
		trust_sha256(c->trust, out);
}

void tls_conf_key_sha256(const struct tls_conf *c, uint8_t out[32])
{
	CHECK(c->chain.raw.p);
	CHECK(mbedtls_sha256(c->chain.pk_raw.p, c->chain.pk_raw.len, out, 0) == 0);
}

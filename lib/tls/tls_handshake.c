/*
 * The handshake, step by step, so that the peer's certificate is judged before our side of it is over, and a
 * refusal is said with an alert. A client:
 *
 *	ClientHello   ServerHello .. Certificate [key] CertificateVerify Finished   [gate]   Finished   over
 *
 *	[gate]   verify_chain; refused: alert, broken
 *	over     verified, or resumed from a session that was
 *
 * and a server that asks for certificates, whose alerts mbedTLS seals so that clients can read them only when
 * all is over:
 *
 *	ClientHello   ServerHello .. Finished   Certificate [key] CertificateVerify Finished   over [gate]
 *
 * mbedTLS judges no chain in either. [key]: before a signature by the peer's key is checked, the key must be
 * one whose signatures cost no more than they should.
 */
#include <mbedtls/ssl.h>
#include <time.h>

#include "base/be.h"
#include "base/mem.h"
#include "tls/tls_error.h"
#include "tls/tls_impl.h"
#include "tls/verify.h"
#include "tls/verify_cert.h"

/* One proof of identity carries resumptions for so long; then the server has to show its chain again. */
#define TRUST_SECONDS (24 * 3600)

void tls_break(struct tls *t, int rc, bool handshake)
{
	if (t->broken.kind)
		return;
	if (t->in_err.kind)
		t->broken = t->in_err;
	else if (t->out_err.kind)
		t->broken = t->out_err;
	else
		tls_error_set(&t->broken, &t->ssl, rc, handshake);
}

static bool speaks_tls13(const struct tls *t)
{
	return mbedtls_ssl_get_version_number(&t->ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
}

static int64_t now(const struct tls *t)
{
	return t->conf->at ? t->conf->at : (int64_t)time(NULL);
}

static struct span session_key(const struct tls *t)
{
	return (struct span){t->key, t->key_len};
}

static void say(struct tls *t, uint8_t alert)
{
	(void)mbedtls_ssl_send_alert_message(&t->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
}

static bool verify(struct tls *t, const mbedtls_x509_crt *chain)
{
	struct verify_request rq = {.chain = chain,
				    .trust = t->conf->trust,
				    .host = t->host,
				    .at = now(t),
				    .cache = t->conf->chains};
	struct verify_result result;
	if (!verify_chain(&rq, &result, &t->broken)) {
		say(t, result.alert);
		return false;
	}
	if (result.not_after < t->trusted_until)
		t->trusted_until = result.not_after;
	t->verified = true;
	return true;
}

static bool must_verify(const struct tls *t)
{
	return t->conf->trust != NULL;
}

static bool is_client(const struct tls *t)
{
	return t->conf->role == TLS_CLIENT;
}

/*
 * Before the first secret of ours would go out. In TLS 1.3 that is where alerts are
 * encrypted, too: earlier ones go out in clear and some servers do not take them.
 */
static bool at_the_gate(const struct tls *t)
{
	int state = t->ssl.MBEDTLS_PRIVATE(state);
	return is_client(t) && must_verify(t) && !t->verified &&
	       (state == MBEDTLS_SSL_CLIENT_KEY_EXCHANGE || state == MBEDTLS_SSL_CLIENT_FINISHED);
}

static const mbedtls_x509_crt *peer_chain(const struct tls *t)
{
	return t->ssl.MBEDTLS_PRIVATE(session_negotiate)->MBEDTLS_PRIVATE(peer_cert);
}

/* Whether the next step of TLS 1.3 checks a signature by the peer's key. */
static bool at_its_signature(const struct tls *t)
{
	int state = t->ssl.MBEDTLS_PRIVATE(state);
	return speaks_tls13(t) && state == (is_client(t) ? MBEDTLS_SSL_CERTIFICATE_VERIFY
							 : MBEDTLS_SSL_CLIENT_CERTIFICATE_VERIFY);
}

static bool check_key(struct tls *t)
{
	bool client = is_client(t);
	if (verify_key_cost(peer_chain(t), &t->broken))
		return true;
	error_wrap(&t->broken, client ? "server certificate" : "client certificate");
	t->broken.hop = client ? HOP_SERVICE : HOP_CLIENT;
	say(t, MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT);
	return false;
}

/* mbedTLS gives the chain out only when all is over. No certificate: a session is resumed, see may_pass. */
static bool judge(struct tls *t)
{
	const mbedtls_x509_crt *chain = peer_chain(t);
	return (!chain && t->offered) || verify(t, chain);
}

/* RFC 8446 section 4.2.3: the scheme names the curve, and PKCS#1 v1.5 is for certificates alone. */
static bool scheme_fits(unsigned scheme, const mbedtls_pk_context *key)
{
	switch (scheme) {
	case MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256:
	case MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384:
	case MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512: {
		size_t bits = scheme == MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256   ? 256
			      : scheme == MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384 ? 384
										    : 521;
		return mbedtls_pk_can_do(key, MBEDTLS_PK_ECDSA) && mbedtls_pk_get_bitlen(key) == bits;
	}
	case MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256:
	case MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384:
	case MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512:
		return mbedtls_pk_can_do(key, MBEDTLS_PK_RSA);
	default:
		return false;
	}
}

/*
 * mbedTLS takes any scheme that was offered, also those offered for certificates. The
 * message that the last step has taken in still stands where it was read to:
 *
 *	type 1 | length 3 | scheme 2 | signature
 */
static bool check_scheme(struct tls *t)
{
	const unsigned char *message = t->ssl.MBEDTLS_PRIVATE(in_msg);
	if (scheme_fits(be_u16(message + 4), &peer_chain(t)->pk))
		return true;
	say(t, MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER);
	return error_set_hop(&t->broken, ERR_TLS, is_client(t) ? HOP_SERVICE : HOP_CLIENT,
			     "the peer signed the handshake in a way TLS 1.3 forbids for its key");
}

/* The last gate, by what mbedTLS says in public: nothing passes that was neither verified nor resumed. */
static bool may_pass(struct tls *t)
{
	t->resumed = t->offered && speaks_tls13(t) && !mbedtls_ssl_get_peer_cert(&t->ssl);
	if (t->resumed)
		t->trusted_until = t->offered_until;
	if (!must_verify(t) || t->verified || t->resumed)
		return true;
	if (!is_client(t)) {
		t->lingers = !verify(t, mbedtls_ssl_get_peer_cert(&t->ssl));
		return !t->lingers;
	}
	return error_set_hop(&t->broken, ERR_TLS_CERTIFICATE, HOP_SERVICE,
			     "the service has not proved who it is");
}

enum tls_progress tls_handshake(struct tls *t)
{
	/* mbedtls_ssl_is_handshake_over() is true already while a server has its tickets still to write. */
	while (t->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_HANDSHAKE_OVER) {
		bool signs = at_its_signature(t);
		if ((at_the_gate(t) && !judge(t)) || (signs && !check_key(t)))
			return TLS_BROKEN;
		int rc = mbedtls_ssl_handshake_step(&t->ssl);
		if (tls_blocked(rc))
			return TLS_WAIT;
		if (rc) {
			tls_break(t, rc, true);
			if (t->offered)
				session_forget(t->sessions, session_key(t));
			return TLS_BROKEN;
		}
		if (signs && !check_scheme(t))
			return TLS_BROKEN;
	}
	return may_pass(t) ? TLS_READY : TLS_BROKEN;
}

/* ---- sessions: kept as this, then what mbedTLS makes of one ---- */

struct kept {
	int64_t trusted_until;
	uint8_t leaf_sha256[HASH_SIZE]; /* of the server that was verified */
};

void tls_offer_session(struct tls *t)
{
	uint8_t bytes[SESSION_MAX_BYTES];
	struct kept kept;
	t->trusted_until = now(t) + TRUST_SECONDS;
	size_t n = t->sessions ? session_take(t->sessions, session_key(t), now(t), bytes) : 0;
	if (!n)
		return;
	mbedtls_ssl_session session;
	mbedtls_ssl_session_init(&session);
	t->offered = mbedtls_ssl_session_load(&session, bytes + sizeof kept, n - sizeof kept) == 0 &&
		     mbedtls_ssl_set_session(&t->ssl, &session) == 0;
	if (t->offered) {
		memcpy(&kept, bytes, sizeof kept);
		t->offered_until = kept.trusted_until;
		memcpy(t->offered_leaf_sha256, kept.leaf_sha256, HASH_SIZE);
	}
	mbedtls_ssl_session_free(&session);
	mem_wipe(bytes, sizeof bytes);
}

void tls_leaf_sha256(const struct tls *t, uint8_t out[HASH_SIZE])
{
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);
	if (crt)
		hash_sha256(&(struct span){(const char *)crt->raw.p, crt->raw.len}, 1, out);
	else /* zeros, unless it was resumed */
		memcpy(out, t->offered_leaf_sha256, HASH_SIZE);
}

/* A ticket has come. It lives no longer than the proof that stands behind it. */
void tls_keep_session(struct tls *t)
{
	mbedtls_ssl_session session;
	mbedtls_ssl_session_init(&session);
	uint8_t bytes[SESSION_MAX_BYTES];
	struct kept kept = {.trusted_until = t->trusted_until};
	size_t n = 0;
	if (t->sessions && mbedtls_ssl_get_session(&t->ssl, &session) == 0 &&
	    mbedtls_ssl_session_save(&session, bytes + sizeof kept, sizeof bytes - sizeof kept, &n) == 0) {
		tls_leaf_sha256(t, kept.leaf_sha256);
		memcpy(bytes, &kept, sizeof kept);
		int64_t expires = now(t) + session.MBEDTLS_PRIVATE(ticket_lifetime);
		if (t->trusted_until < expires)
			expires = t->trusted_until;
		session_put(t->sessions, session_key(t), (struct span){(char *)bytes, sizeof kept + n},
			    expires);
	}
	mbedtls_ssl_session_free(&session);
	mem_wipe(bytes, sizeof bytes);
}

/*
 * The TLS settings of one side: read and checked once at start, shared by all
 * connections of all loops, never changed afterwards. What grows in it is the cache of
 * chains that it has found good (chain_cache.h), which goes with it.
 *
 * A client trusts what ca_files and ca_directory hold, or the system's bundle when
 * neither is given. mbedTLS's own judgement of certificates is switched off; verify.c
 * judges inside the handshake, before our Finished is sent.
 */
#ifndef TLS_TLS_CONF_H
#define TLS_TLS_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum tls_role { TLS_CLIENT, TLS_SERVER };
enum tls_version { TLS_1_3, TLS_1_2 };

/* Everything is copied or read; nothing needs to live on. Zeroed: a client with the defaults. */
struct tls_options {
	enum tls_role role;
	enum tls_version min_version;
	/* Best first, by IANA's names ("TLS_AES_128_GCM_SHA256") or mbedTLS's; NULL-terminated. NULL: all,
	 * AES-128 first. */
	const char *const *cipher_suites;

	/*
	 * NULL-terminated; NULL: none. Of a server: who vouches for its clients, each of which must then show
	 * a certificate; wants TLS 1.3 and no_tickets.
	 */
	const char *const *ca_files;

	/* its own certificate and key; a server must have them, a client shows them to who asks */
	struct span chain_pem, key_pem;

	/* client */
	const char *ca_directory; /* NULL: none */
	bool no_verify;		  /* take any certificate: whoever sets it has to be loud about it */
	int64_t at;		  /* judge certificates as of then; 0: now. An error in an enclave build */

	/* server */
	bool no_tickets;
};

struct tls_conf;
struct chain_cache_stats;

/* NULL: err says which setting or file, ERR_CONFIG. */
struct tls_conf *tls_conf_new(const struct tls_options *options, struct error *err);
void tls_conf_free(struct tls_conf *c); /* no connection uses it any more; NULL is fine */

bool tls_conf_verifies(const struct tls_conf *c);
size_t tls_conf_root_count(const struct tls_conf *c);
size_t tls_conf_roots_skipped(const struct tls_conf *c); /* of the system's bundle, unreadable */
/* How often a server's chain was known already; see chain_cache.h. */
void tls_conf_chain_stats(const struct tls_conf *c, struct chain_cache_stats *out);
void tls_conf_trust_sha256(const struct tls_conf *c, uint8_t out[32]); /* see trust.h */
/* Of its own SubjectPublicKeyInfo, as the peer sees it in tls_info; it must have one. */
void tls_conf_key_sha256(const struct tls_conf *c, uint8_t out[32]);

/* The suites that can be asked for, as one line for messages and help. */
const char *tls_cipher_suite_names(void);

#endif

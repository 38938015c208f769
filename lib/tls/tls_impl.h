/* A TLS connection, for the files that make it up: tls_stream.c, tls_handshake.c, tls_records.c, tls_bio.c. */
#ifndef TLS_TLS_IMPL_H
#define TLS_TLS_IMPL_H

#include <mbedtls/ssl.h>

#include "net/stream_impl.h"
#include "tls/hash.h"
#include "tls/tls_conf_impl.h"
#include "tls/tls_stream.h"

#define TLS_KEY_MAX 300 /* host, port, identity */

struct tls {
	struct stream base;
	struct stream *lower; /* owned */
	const struct tls_conf *conf;
	mbedtls_ssl_context ssl;

	/* start: fn is set until it has been called */
	tls_done_fn *fn;
	void *arg;
	struct task done;
	tls_preface_fn *preface; /* NULL: none, or over */
	void *preface_arg;
	char *host;    /* owned; NULL for a server */
	bool alerting; /* the handshake has broken, its last alert is on its way */
	bool lingers;  /* .. and the peer believes it over: it may be sending, see step_linger */
	bool hung_up;  /* lingering: the stream below has been told that nothing follows */
	bool offered, resumed, verified;
	int64_t offered_until;			/* the same of the session that was offered */
	uint8_t offered_leaf_sha256[HASH_SIZE]; /* and its server's certificate; zeros: none was */
	int64_t trusted_until; /* what this connection proved is taken for proved until then */

	/* sessions */
	struct session_cache *sessions; /* borrowed; NULL: none */
	char key[TLS_KEY_MAX];
	size_t key_len;

	/* below */
	struct block *in;  /* owned: ciphertext not consumed; NULL: none */
	struct block *out; /* owned: records not handed down; NULL: none */
	size_t shown;	   /* bytes of records in which a client shows its certificate */
	bool reading, writing;
	bool in_ended;		      /* the lower stream has ended */
	struct error in_err, out_err; /* kind set: the lower stream has failed */

	/* above */
	bool notified;	     /* our close_notify is sealed */
	bool peer_notified;  /* the peer's has come */
	struct error broken; /* kind set: the TLS state is beyond use, and why */
};

/* tls_bio.c: what mbedTLS reads and writes */
int tls_bio_send(void *arg, const unsigned char *p, size_t n);
int tls_bio_recv(void *arg, unsigned char *p, size_t n);

/* tls_records.c, behind the handshake: what can be read and written without waiting, once somebody wants it */
void tls_open_records(struct tls *t);
void tls_seal_records(struct tls *t);
/* The memory behind the record buffers of a connection at rest; else nothing. */
void tls_forget_records(struct tls *t);

/* tls_handshake.c */
enum tls_progress { TLS_WAIT, TLS_READY, TLS_BROKEN };
enum tls_progress tls_handshake(struct tls *t);
void tls_offer_session(struct tls *t);
void tls_keep_session(struct tls *t);
/* Of the certificate that stands behind this connection, though it be resumed. */
void tls_leaf_sha256(const struct tls *t, uint8_t out[HASH_SIZE]);
/* Records why; the first reason stays. An error of the lower stream comes before mbedTLS's rc. */
void tls_break(struct tls *t, int rc, bool handshake);

static inline bool tls_blocked(int rc)
{
	return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}

#endif

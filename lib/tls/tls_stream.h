/*
 * TLS as a stream over any stream.
 *
 *	struct tls_start o = {.conf = conf, .lower = tcp, .host = "example.org", .port = 443};
 *	tls_start(&o, on_secure, me);   ->   on_secure(me, stream, NULL)   or   on_secure(me, NULL, err)
 *
 * A client's stream is given out only when the server has proved its name (verify.h), so
 * no byte of a request can leave before that.
 *
 *  - Ciphertext is consumed in the block it came in. A read delivers as many records as
 *    have arrived, up to BLOCK_SIZE, and never waits for more once there are some.
 *  - A write is sealed into one block and handed down in one write, 64 KiB at a time.
 *  - An idle connection holds no block.
 *  - stream_shutdown sends close_notify and leaves the stream below open; stream_close
 *    closes it without a word, which the peer must take for a cut.
 *  - The end of the stream below without close_notify is ERR_TRUNCATED, after all data.
 *    So is a KeyUpdate: mbedTLS 3.6 does not take it, and what follows cannot be read.
 *
 * Errors: ERR_TLS_CERTIFICATE (refused, with the reason), ERR_TLS_ALERT (the peer refused),
 * ERR_TLS (anything else of the protocol), all at HOP_SERVICE, or those of the stream below.
 */
#ifndef TLS_TLS_STREAM_H
#define TLS_TLS_STREAM_H

#include "net/stream.h"
#include "tls/session.h"
#include "tls/tls_conf.h"

struct tls;

/* Exactly one call, from the loop. s is yours; NULL: err says why, and lower has been closed. */
typedef void tls_done_fn(void *arg, struct stream *s, const struct error *err);

/*
 * Something else may speak first on the stream below: the tunnel's answer stands in front
 * of the ServerHello, for the ClientHello is sent without waiting for it. The hook sees
 * the first blocks that are read, takes its bytes from their front with block_take (the
 * block stays ours), and says how it stands. With PREFACE_MORE it has taken the whole
 * block; what is left in it with PREFACE_DONE is TLS's.
 * b == NULL: the stream below ended; only PREFACE_FAILED is an answer to that.
 */
enum tls_preface { PREFACE_MORE, PREFACE_DONE, PREFACE_FAILED /* err is set, and ends the start as it is */ };
typedef enum tls_preface tls_preface_fn(void *arg, struct block *b, struct error *err);

struct tls_start {
	const struct tls_conf *conf;	/* borrowed: outlives the stream */
	struct stream *lower;		/* taken, in any case */
	const char *host;		/* client: canonical DNS name or bare IP literal; copied */
	uint16_t port;			/* client */
	struct session_cache *sessions; /* client: borrowed; NULL: nothing is resumed or kept */
	tls_preface_fn *preface;	/* NULL: none */
	void *preface_arg;
};

struct tls *tls_start(const struct tls_start *options, tls_done_fn *fn, void *arg);
/* Before the callback: there will be none, lower is closed. */
void tls_cancel(struct tls *t);

/*
 * It will not be used for a while: the memory behind its two record buffers of 16 KiB goes back until it is.
 * Nothing happens to a stream that is not at rest, or is none of TLS.
 */
void tls_rest(struct stream *s);

struct tls_info {
	const char *protocol; /* "TLSv1.3" */
	const char *cipher;   /* mbedTLS's name */
	bool resumed;	      /* then there is no certificate */
	bool has_certificate;
	char subject[128];	 /* printable, cut when longer */
	uint8_t leaf_sha256[32]; /* of its DER; resumed: of the handshake that the session goes back to */
	uint8_t key_sha256[32];	 /* of its SubjectPublicKeyInfo: the key that signed this handshake */
};
/* s is a stream that tls_start gave. */
void tls_info(const struct stream *s, struct tls_info *info);

#endif

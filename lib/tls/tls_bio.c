/*
 * mbedTLS sees two blocks and never a socket: it reads from the block of ciphertext that
 * the lower stream handed over, and its records gather in one that goes down in one write.
 */
#include "tls/tls_impl.h"

int tls_bio_send(void *arg, const unsigned char *p, size_t n)
{
	struct tls *t = arg;
	if (t->out_err.kind)
		return MBEDTLS_ERR_SSL_CONN_EOF;
	if (t->writing)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	if (!t->out)
		t->out = block_get(loop_blocks(t->base.loop));
	size_t room = block_free_room(t->out);
	if (!room)
		return MBEDTLS_ERR_SSL_WANT_WRITE;
	if (n > room)
		n = room;
	memcpy(t->out->data + t->out->len, p, n);
	t->out->len += n;
	return (int)n;
}

/* Bytes of records up to a Certificate without any certificate, and more than that Finished adds. */
#define EMPTY_CERTIFICATE_MAX 128

/*
 * A server whose conf asks for certificates. Told that one is optional mbedTLS would judge the chain, at a
 * cost that the client chooses, for nothing: verify.c does. Told that none is wanted it would answer a
 * missing one with an alert of SSL 3. What is longer than an empty one can be is not missing.
 */
static void count_shown(struct tls *t, size_t n)
{
	if (t->conf->role != TLS_SERVER || !t->conf->trust ||
	    t->ssl.MBEDTLS_PRIVATE(state) != MBEDTLS_SSL_CLIENT_CERTIFICATE)
		return;
	t->shown += n;
	if (t->shown > EMPTY_CERTIFICATE_MAX)
		mbedtls_ssl_set_hs_authmode(&t->ssl, MBEDTLS_SSL_VERIFY_NONE);
}

int tls_bio_recv(void *arg, unsigned char *p, size_t n)
{
	struct tls *t = arg;
	if (!t->in)
		return t->in_ended || t->in_err.kind ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
	if (n > t->in->len)
		n = t->in->len;
	memcpy(p, t->in->data, n);
	block_take(t->in, n);
	count_shown(t, n);
	if (!t->in->len) {
		block_put(t->in);
		t->in = NULL;
	}
	return (int)n;
}

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

int tls_bio_recv(void *arg, unsigned char *p, size_t n)
{
	struct tls *t = arg;
	if (!t->in)
		return t->in_ended || t->in_err.kind ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
	if (n > t->in->len)
		n = t->in->len;
	memcpy(p, t->in->data, n);
	block_take(t->in, n);
	if (!t->in->len) {
		block_put(t->in);
		t->in = NULL;
	}
	return (int)n;
}

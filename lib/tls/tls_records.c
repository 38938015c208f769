/*
 * Records: what the lower stream has brought is opened into one block, what is to be written is sealed into one.
 * Between them lie mbedTLS's two record buffers, whose memory a connection at rest gives back.
 */
#include <malloc.h>

#include "base/mem.h"
#include "tls/tls_error.h"
#include "tls/tls_impl.h"

/* ---- reading: ciphertext -> records -> one block ---- */

enum opened { OPEN_MORE, OPEN_WAIT, OPEN_END };

/* One call of mbedTLS. It may say "more" with its input used up: see the loop around. */
static enum opened open_once(struct tls *t, struct block *b)
{
	int rc = mbedtls_ssl_read(&t->ssl, b->data + b->len, BLOCK_SIZE - b->len);
	if (rc > 0) {
		b->len += (size_t)rc;
		return b->len < BLOCK_SIZE ? OPEN_MORE : OPEN_END;
	}
	if (rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
		tls_keep_session(t);
		return OPEN_MORE;
	}
	if (tls_blocked(rc))
		return OPEN_WAIT;
	if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		t->peer_notified = true;
	else
		tls_break(t, rc, false);
	return OPEN_END;
}

/*
 * mbedTLS says WANT_READ also with a ticket in hand that it will give out at the next
 * call: only WANT_READ without any progress, nothing pending and no ciphertext is final.
 */
static void open_all(struct tls *t, struct block *b)
{
	bool waited = false;
	for (;;) {
		size_t held = t->in ? t->in->len : 0;
		enum opened how = open_once(t, b);
		if (how == OPEN_END)
			return;
		bool progress = how == OPEN_MORE || held != (t->in ? t->in->len : 0);
		if (!progress && (waited || !(t->in || mbedtls_ssl_check_pending(&t->ssl))))
			return;
		waited = !progress;
	}
}

static bool readable(const struct tls *t)
{
	return t->in || t->in_ended || t->in_err.kind || mbedtls_ssl_check_pending(&t->ssl);
}

void tls_open_records(struct tls *t)
{
	if (!stream_wants_read(&t->base))
		return;
	if (!t->peer_notified && !t->broken.kind && readable(t)) {
		struct block *b = block_get(loop_blocks(t->base.loop));
		open_all(t, b);
		if (b->len) {
			stream_read_done(&t->base, b, NULL);
			return;
		}
		block_put(b);
	}
	if (t->peer_notified)
		stream_read_done(&t->base, NULL, NULL);
	else if (t->broken.kind)
		stream_read_done(&t->base, NULL, &t->broken);
}

/* ---- writing: spans -> records -> one block ---- */

/* The most that one record takes (RFC 8446 section 5.2, RFC 5246 section 6.2.3, with its header). */
#define RECORD_MAX (16384 + 2048 + 5)

/*
 * mbedTLS is given bytes to seal only while a whole record fits. It would take WANT_WRITE in the middle of
 * one and expect the same call again, but a session ticket that is read meanwhile flushes what was left, and
 * the repeated call then seals the same bytes once more.
 */
static bool room_for_record(const struct tls *t)
{
	return !t->writing && (!t->out || block_free_room(t->out) >= RECORD_MAX);
}

/* 0, or what mbedTLS says. */
static int seal_spans(struct tls *t)
{
	for (size_t i = 0; i < t->base.wr.count; i++) {
		struct span *v = &t->base.wr.v[i];
		while (v->n) {
			if (!room_for_record(t))
				return MBEDTLS_ERR_SSL_WANT_WRITE;
			int rc = mbedtls_ssl_write(&t->ssl, (const unsigned char *)v->p, v->n);
			if (rc < 0)
				return rc;
			*v = span_from(*v, (size_t)rc);
		}
	}
	if (t->base.wr.ended && !t->notified) {
		if (!room_for_record(t))
			return MBEDTLS_ERR_SSL_WANT_WRITE;
		int rc = mbedtls_ssl_close_notify(&t->ssl);
		if (rc)
			return rc;
		t->notified = true;
	}
	return 0;
}

void tls_seal_records(struct tls *t)
{
	if (!stream_wants_write(&t->base))
		return;
	if (!t->broken.kind && !t->out_err.kind) {
		int rc = seal_spans(t);
		if (tls_blocked(rc) || (!rc && t->out) || (!rc && t->writing))
			return;
		if (rc)
			tls_break(t, rc, false);
	}
	const struct error *err = t->out_err.kind ? &t->out_err : t->broken.kind ? &t->broken : NULL;
	stream_write_done(&t->base, err);
}

/* ---- rest ---- */

/* At the front of a record buffer: the sequence number and the header of the record to come. */
#define RECORD_FRONT 64

static bool at_rest(const struct tls *t)
{
	const mbedtls_ssl_context *ssl = &t->ssl;
	return !t->broken.kind && !t->in && !t->out && !stream_wants_write(&t->base) &&
	       !ssl->MBEDTLS_PRIVATE(in_left) && !ssl->MBEDTLS_PRIVATE(in_offt) &&
	       !ssl->MBEDTLS_PRIVATE(in_hslen) && !ssl->MBEDTLS_PRIVATE(out_left);
}

static void forget(unsigned char *buffer)
{
	mem_forget(buffer + RECORD_FRONT, malloc_usable_size(buffer) - RECORD_FRONT);
}

void tls_forget_records(struct tls *t)
{
	if (!at_rest(t))
		return;
	forget(t->ssl.MBEDTLS_PRIVATE(in_buf));
	forget(t->ssl.MBEDTLS_PRIVATE(out_buf));
}

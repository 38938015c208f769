#include "tls/tls_stream.h"

#include <malloc.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "tls/server_name.h"
#include "tls/tls_error.h"
#include "tls/tls_impl.h"

static void step(struct tls *t);
static void on_lower_written(void *arg, const struct error *err);

static struct tls *tls_of(struct stream *s)
{
	return container_of(s, struct tls, base);
}

static bool starting(const struct tls *t)
{
	return t->fn != NULL;
}

/* ---- start ---- */

static void deliver_start(struct task *task)
{
	struct tls *t = container_of(task, struct tls, done);
	tls_done_fn *fn = t->fn;
	void *arg = t->arg;
	t->fn = NULL;
	if (!t->broken.kind) {
		fn(arg, &t->base, NULL);
		return;
	}
	struct error err = t->broken;
	stream_close(&t->base);
	fn(arg, NULL, &err);
}

static void finish_start(struct tls *t)
{
	loop_post(t->base.loop, &t->done, deliver_start);
}

/* False: it is not over, or has failed. */
static bool run_preface(struct tls *t)
{
	if (!t->preface)
		return true;
	if (t->in_err.kind) {
		t->broken = t->in_err;
		return false;
	}
	if (!t->in && !t->in_ended)
		return false;
	enum tls_preface how = t->preface(t->preface_arg, t->in, &t->broken);
	if (t->in && !t->in->len) {
		block_put(t->in);
		t->in = NULL;
	}
	CHECK((how == PREFACE_FAILED) == (t->broken.kind != ERR_NONE));
	CHECK(how != PREFACE_MORE || (!t->in && !t->in_ended));
	if (how == PREFACE_DONE)
		t->preface = NULL;
	return how == PREFACE_DONE;
}

/*
 * A client that is refused once its own side of the handshake is over is sending its request already. A close
 * with that unread resets the connection, and the alert that says why may get lost: so what comes is thrown
 * away until the client ends, too, or whoever has started us loses patience. False: not yet.
 */
static bool step_linger(struct tls *t)
{
	block_put(t->in);
	t->in = NULL;
	if (!t->hung_up && !t->writing) {
		t->hung_up = t->writing = true;
		stream_shutdown(t->lower, on_lower_written, t);
	}
	return t->in_ended || t->in_err.kind || t->out_err.kind;
}

/*
 * Until the preface is over nothing is left for mbedTLS to read, but its ClientHello goes
 * out. When the handshake breaks its last alert goes first, as far as it is taken below.
 */
static void step_start(struct tls *t)
{
	if (task_posted(&t->done))
		return;
	if (!t->broken.kind)
		run_preface(t);
	if (t->broken.kind && !t->alerting) {
		finish_start(t);
		return;
	}
	enum tls_progress how = t->alerting ? TLS_BROKEN : tls_handshake(t);
	t->alerting = how == TLS_BROKEN;
	bool flushed = (!t->out && !t->writing) || t->out_err.kind;
	if (how == TLS_READY || (how == TLS_BROKEN && flushed && (!t->lingers || step_linger(t))))
		finish_start(t);
}

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

static void open_records(struct tls *t)
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

static void seal_records(struct tls *t)
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

/* ---- the stream below ---- */

static void on_lower_read(void *arg, struct block *b, const struct error *err)
{
	struct tls *t = arg;
	t->reading = false;
	t->in = b;
	t->in_ended = !b && !err;
	if (err)
		t->in_err = *err;
	step(t);
}

static void on_lower_written(void *arg, const struct error *err)
{
	struct tls *t = arg;
	t->writing = false;
	block_put(t->out);
	t->out = NULL;
	if (err)
		t->out_err = *err;
	step(t);
}

static void flush(struct tls *t)
{
	if (!t->out || t->writing)
		return;
	t->writing = true;
	struct span sealed = block_span(t->out);
	stream_write(t->lower, &sealed, 1, on_lower_written, t);
}

/* Reads only for somebody who waits, so that not reading is back-pressure on the peer too. */
static void pull(struct tls *t)
{
	bool wanted = starting(t) ? !task_posted(&t->done) && (!t->broken.kind || t->lingers)
				  : stream_wants_read(&t->base);
	if (!wanted || t->in || t->reading || t->in_ended || t->in_err.kind)
		return;
	t->reading = true;
	stream_read(t->lower, on_lower_read, t);
}

/* All that can be done without waiting; then the lower stream is asked for what is missing. */
static void step(struct tls *t)
{
	if (starting(t)) {
		step_start(t);
	} else {
		open_records(t);
		seal_records(t);
	}
	flush(t);
	pull(t);
}

/* ---- the stream above ---- */

static void tls_step(struct stream *s)
{
	step(tls_of(s));
}

static void tls_close(struct stream *s)
{
	struct tls *t = tls_of(s);
	task_cancel(&t->done);
	stream_close(t->lower);
	mbedtls_ssl_free(&t->ssl);
	block_put(t->in);
	block_put(t->out);
	free(t->host);
	stream_release(s);
	free(t);
}

static void tls_peer(const struct stream *s, struct stream_peer *peer)
{
	stream_peer(container_of(s, const struct tls, base)->lower, peer);
}

/* Without close_notify the peer can tell already, if it looks. */
static void tls_abort(struct stream *s)
{
	struct stream *lower = tls_of(s)->lower;
	if (lower->ops->abort)
		lower->ops->abort(lower);
}

static const struct stream_ops tls_ops = {
	.read = tls_step,
	.write = tls_step,
	.shutdown = tls_step,
	.close = tls_close,
	.peer = tls_peer,
	.abort = tls_abort,
};

/* An address is never sent as SNI (RFC 6066 section 3). */
static bool set_host(struct tls *t, uint16_t port)
{
	struct server_name name;
	if (!server_name_init(&name, t->host))
		return error_set(&t->broken, ERR_BAD_REQUEST,
				 "the host is neither a DNS name nor an IP address");
	tls_must(mbedtls_ssl_set_hostname(&t->ssl, name.ip_len ? NULL : name.text));
	int n = snprintf(t->key, sizeof t->key - sizeof t->conf->identity, "%s:%u ", t->host, port);
	memcpy(t->key + n, t->conf->identity, sizeof t->conf->identity);
	t->key_len = (size_t)n + sizeof t->conf->identity;
	return true;
}

static void name_stream(struct tls *t, const struct tls_start *o)
{
	char name[512];
	if (o->host)
		snprintf(name, sizeof name, "tls %s:%u over %s", o->host, o->port, stream_name(o->lower));
	else
		snprintf(name, sizeof name, "tls over %s", stream_name(o->lower));
	stream_init(&t->base, stream_loop(o->lower), &tls_ops, name);
}

struct tls *tls_start(const struct tls_start *o, tls_done_fn *fn, void *arg)
{
	bool client = o->conf->role == TLS_CLIENT;
	CHECK(client == (o->host != NULL) && fn);
	struct tls *t = mem_zero(sizeof *t);
	name_stream(t, o);
	t->lower = o->lower;
	t->conf = o->conf;
	t->fn = fn;
	t->arg = arg;
	t->preface = o->preface;
	t->preface_arg = o->preface_arg;
	t->host = mem_text(o->host);
	t->sessions = o->sessions;
	mbedtls_ssl_init(&t->ssl);
	tls_must(mbedtls_ssl_setup(&t->ssl, &o->conf->ssl));
	mbedtls_ssl_set_bio(&t->ssl, t, tls_bio_send, tls_bio_recv, NULL);
	if (client && set_host(t, o->port))
		tls_offer_session(t);
	step(t);
	return t;
}

/* ---- rest ---- */

/* At the front of a record buffer: the sequence number and the header of the record to come. */
#define RECORD_FRONT 64

static bool at_rest(const struct tls *t)
{
	const mbedtls_ssl_context *ssl = &t->ssl;
	return !starting(t) && !t->broken.kind && !t->in && !t->out && !stream_wants_write(&t->base) &&
	       !ssl->MBEDTLS_PRIVATE(in_left) && !ssl->MBEDTLS_PRIVATE(in_offt) &&
	       !ssl->MBEDTLS_PRIVATE(in_hslen) && !ssl->MBEDTLS_PRIVATE(out_left);
}

static void forget_records(unsigned char *buffer)
{
	mem_forget(buffer + RECORD_FRONT, malloc_usable_size(buffer) - RECORD_FRONT);
}

void tls_rest(struct stream *s)
{
	if (s->ops != &tls_ops || !at_rest(tls_of(s)))
		return;
	forget_records(tls_of(s)->ssl.MBEDTLS_PRIVATE(in_buf));
	forget_records(tls_of(s)->ssl.MBEDTLS_PRIVATE(out_buf));
}

void tls_cancel(struct tls *t)
{
	CHECK(starting(t));
	stream_close(&t->base);
}

static void set_certificate(struct tls_info *info, const mbedtls_x509_crt *crt)
{
	info->has_certificate = true;
	CHECK(mbedtls_sha256(crt->pk_raw.p, crt->pk_raw.len, info->key_sha256, 0) == 0);
	char subject[1024];
	int n = mbedtls_x509_dn_gets(subject, sizeof subject, &crt->subject);
	snprintf(info->subject, sizeof info->subject, "%.*s", (int)sizeof info->subject - 1,
		 n > 0 ? subject : "");
	for (char *c = info->subject; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void tls_info(const struct stream *s, struct tls_info *info)
{
	CHECK(s->ops == &tls_ops);
	const struct tls *t = container_of(s, const struct tls, base);
	*info = (struct tls_info){
		.protocol = mbedtls_ssl_get_version(&t->ssl),
		.cipher = mbedtls_ssl_get_ciphersuite(&t->ssl),
		.resumed = t->resumed,
	};
	const mbedtls_x509_crt *crt = mbedtls_ssl_get_peer_cert(&t->ssl);
	tls_leaf_sha256(t, info->leaf_sha256);
	if (crt)
		set_certificate(info, crt);
}

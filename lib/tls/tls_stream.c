#include "tls/tls_stream.h"

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
		tls_open_records(t);
		tls_seal_records(t);
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

static const char *tls_transport(const struct stream *s)
{
	return stream_transport(container_of(s, const struct tls, base)->lower);
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
	.transport = tls_transport,
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

void tls_rest(struct stream *s)
{
	if (s->ops == &tls_ops && !starting(tls_of(s)))
		tls_forget_records(tls_of(s));
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

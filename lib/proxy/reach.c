#include "proxy/reach.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/dial.h"
#include "proxy/exchange.h"
#include "proxy/tunnel_message.h"
#include "tls/tls_stream.h"

struct reach {
	struct loop *loop;
	const struct reach_config *config; /* borrowed */
	const struct target *target;	   /* borrowed; NULL: a ping */
	uint64_t id;
	bool secure;
	struct timer timer;
	struct dial *dial;
	struct stream *stream; /* owned until TLS or the result has it */
	struct tls *tls;
	struct buf request;
	struct tunnel_answer answer;
	bool answered; /* the tunnel has connected: what may still be slow is TLS */
	uint64_t dialled_us, answered_us;
	reach_fn *fn;
	reach_ping_fn *ping_fn;
	void *arg;
};

/* ---- the end ---- */

void reach_cancel(struct reach *r)
{
	timer_stop(r->loop, &r->timer);
	if (r->dial)
		dial_cancel(r->dial);
	if (r->tls)
		tls_cancel(r->tls);
	stream_close(r->stream);
	tunnel_answer_free(&r->answer);
	buf_free(&r->request);
	free(r);
}

static void fail(struct reach *r, const struct error *why, enum hop hop)
{
	struct error err = *why;
	reach_fn *fn = r->fn;
	reach_ping_fn *ping_fn = r->ping_fn;
	void *arg = r->arg;
	if (err.hop == HOP_NONE)
		err.hop = hop;
	reach_cancel(r);
	if (ping_fn)
		ping_fn(arg, (struct span){0}, &err);
	else
		fn(arg, NULL, &err);
}

static void succeed(struct reach *r, struct stream *s)
{
	reach_fn *fn = r->fn;
	void *arg = r->arg;
	struct reach_result result = {.stream = s,
				      .secure = r->secure,
				      .tunnel_us = r->answered_us - r->dialled_us,
				      .tls_us = r->secure ? monotonic_us() - r->answered_us : 0};
	reach_cancel(r);
	fn(arg, &result, NULL);
}

static void ponged(struct reach *r)
{
	r->ping_fn(r->arg, tunnel_answer_text(&r->answer), NULL);
	reach_cancel(r);
}

static void on_timeout(struct timer *t)
{
	struct reach *r = container_of(t, struct reach, timer);
	struct error err;
	if (r->answered)
		error_set_hop(&err, ERR_TLS_TIMEOUT, HOP_SERVICE, "no TLS handshake within %llu ms",
			      (unsigned long long)r->config->tls_ms);
	else
		error_set_hop(&err, ERR_CONNECT_TIMEOUT, HOP_TUNNEL,
			      "no answer from the tunnel within %llu ms",
			      (unsigned long long)r->config->tunnel_ms);
	if (r->ping_fn)
		trunk_client_doubt(r->config->trunk, r->stream);
	fail(r, &err, HOP_NONE);
}

/* ---- the tunnel's answer ---- */

/* Also in front of the ServerHello. */
static enum tls_preface on_preface(void *arg, struct block *b, struct error *err)
{
	struct reach *r = arg;
	if (!b) {
		error_set_hop(err, ERR_RESET, HOP_TUNNEL,
			      "the tunnel closed the connection without an answer");
		return PREFACE_FAILED;
	}
	switch (tunnel_answer_feed(&r->answer, b, err)) {
	case TUNNEL_ANSWER_MORE:
		return PREFACE_MORE;
	case TUNNEL_ANSWER_OK:
		r->answered = true;
		r->answered_us = monotonic_us();
		timer_start(r->loop, &r->timer, r->config->tls_ms, on_timeout);
		return PREFACE_DONE;
	case TUNNEL_ANSWER_BAD:
		break;
	}
	return PREFACE_FAILED;
}

/* Without TLS behind it. */
static void on_answer(void *arg, struct block *b, const struct error *err)
{
	struct reach *r = arg;
	struct error bad;
	enum tls_preface preface = err ? PREFACE_FAILED : on_preface(r, b, &bad);
	if (preface == PREFACE_FAILED) {
		block_put(b);
		fail(r, err ? err : &bad, HOP_TUNNEL);
	} else if (preface == PREFACE_MORE) {
		block_put(b);
		stream_read(r->stream, on_answer, r);
	} else if (r->ping_fn) {
		block_put(b);
		ponged(r);
	} else {
		struct stream *s = r->stream;
		r->stream = NULL;
		const char *transport = stream_transport(s);
		if (transport && strcmp(transport, r->answer.transport) == 0)
			stream_require_end(s);
		stream_unread(s, b);
		succeed(r, s);
	}
}

/* ---- the steps ---- */

static void on_secure(void *arg, struct stream *s, const struct error *err)
{
	struct reach *r = arg;
	r->tls = NULL;
	if (err)
		fail(r, err, r->answered ? HOP_SERVICE : HOP_TUNNEL);
	else
		succeed(r, s);
}

static void on_requested(void *arg, const struct error *err)
{
	struct reach *r = arg;
	if (err) {
		fail(r, err, HOP_TUNNEL);
		return;
	}
	if (!r->secure) {
		stream_read(r->stream, on_answer, r);
		return;
	}
	struct tls_start start = {.conf = r->config->tls,
				  .lower = r->stream,
				  .host = r->target->host,
				  .port = r->target->port,
				  .sessions = r->config->sessions,
				  .preface = on_preface,
				  .preface_arg = r};
	r->stream = NULL;
	r->tls = tls_start(&start, on_secure, r);
}

static bool write_request(struct reach *r)
{
	if (r->ping_fn)
		return tunnel_ping_write(&r->request);
	bool relayed = r->target->kind != TARGET_URL;
	return tunnel_request_write(&r->request, r->target->host, r->target->port, r->id,
				    relayed ? stream_transport(r->stream) : NULL);
}

static void ask(struct reach *r, struct stream *s)
{
	r->stream = s;
	CHECK(write_request(r));
	struct span v = buf_span(&r->request);
	stream_write(s, &v, 1, on_requested, r);
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct reach *r = arg;
	r->dial = NULL;
	if (err) {
		struct error why = *err;
		if (error_is_unreachable(err->kind) && err->kind != ERR_CONNECT_TIMEOUT)
			why.kind = ERR_UNAVAILABLE; /* 503: the proxy itself is not whole */
		fail(r, &why, err->kind == ERR_LIMIT ? HOP_ENCLAVE : HOP_TUNNEL); /* descriptors are ours */
		return;
	}
	ask(r, s);
}

static struct reach *start(struct loop *l, const struct reach_config *config, void *arg)
{
	struct reach *r = mem_zero(sizeof *r);
	r->loop = l;
	r->config = config;
	r->arg = arg;
	buf_init(&r->request, TUNNEL_HEADER + TUNNEL_MESSAGE_MAX);
	tunnel_answer_init(&r->answer);
	r->dialled_us = monotonic_us();
	timer_start(l, &r->timer, config->tunnel_ms, on_timeout);
	return r;
}

static void dial(struct reach *r)
{
	struct stream *strand = trunk_client_open(r->config->trunk);
	if (strand)
		ask(r, strand);
	else
		r->dial = dial_start(r->loop, &r->config->tunnel, r->config->tunnel_ms, on_dialled, r);
}

struct reach *reach_start(struct loop *l, const struct reach_config *config, const struct target *t,
			  uint64_t id, reach_fn *fn, void *arg)
{
	struct reach *r = start(l, config, arg);
	r->target = t;
	r->id = id;
	r->secure = t->kind == TARGET_URL && t->https;
	r->fn = fn;
	dial(r);
	return r;
}

struct reach *reach_ping(struct loop *l, const struct reach_config *config, reach_ping_fn *fn, void *arg)
{
	struct reach *r = start(l, config, arg);
	r->ping_fn = fn;
	dial(r);
	return r;
}

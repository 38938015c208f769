#include "verify_channel.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "net/dial.h"
#include "nsm/input.h"
#include "tls/tls_stream.h"

#define CONNECT_MS   10000
#define HANDSHAKE_MS 15000
#define OWN_MAX	     65536 /* a certificate with its chain, or a key */

struct verify_channel {
	struct loop *loop;
	const struct target *to;
	const struct tls_conf *tls;
	struct dial *dial;
	struct tls *securing;
	struct timer timer; /* of the handshake */
	struct task failed;
	struct error err;
	verify_channel_fn *fn;
	void *arg;
};

bool verify_channel_url(const char *url, struct target *to, struct error *err)
{
	struct head *h = mem_zero(sizeof *h);
	head_init_request(h, SPAN("GET"), SPAN("/"));
	head_add(h, SPAN("X-Target-URL"), span_of(url));
	bool good = target_of(h, 2048, to, err) && span_is(to->path, SPAN("/"));
	free(h);
	return good || error_set(err, ERR_CONFIG,
				 "--url wants http://HOST[:PORT] or https://HOST[:PORT], without a path");
}

struct tls_conf *verify_channel_tls(const char *certificate_file, const char *key_file, struct error *err)
{
	struct tls_options o = {.role = TLS_CLIENT, .min_version = TLS_1_3, .no_verify = true};
	struct tls_conf *c = NULL;
	struct buf certificate, key;
	buf_init(&certificate, OWN_MAX);
	buf_init(&key, OWN_MAX);
	if (!certificate_file ||
	    (input_read(certificate_file, &certificate, err) && input_read(key_file, &key, err))) {
		o.chain_pem = buf_span(&certificate);
		o.key_pem = buf_span(&key);
		c = tls_conf_new(&o, err);
	}
	if (key.p)
		mem_wipe(key.p, key.n);
	buf_free(&certificate);
	buf_free(&key);
	return c;
}

void verify_channel_cancel(struct verify_channel *c)
{
	timer_stop(c->loop, &c->timer);
	task_cancel(&c->failed);
	if (c->dial)
		dial_cancel(c->dial);
	if (c->securing)
		tls_cancel(c->securing);
	free(c);
}

static void finish(struct verify_channel *c, struct stream *s, const uint8_t *key, const struct error *err)
{
	verify_channel_fn *fn = c->fn;
	void *arg = c->arg;
	struct error why = err ? *err : (struct error){0};
	verify_channel_cancel(c);
	fn(arg, s, key, err ? &why : NULL);
}

static void on_secure(void *arg, struct stream *s, const struct error *err)
{
	struct verify_channel *c = arg;
	struct tls_info info;
	c->securing = NULL;
	if (err) {
		finish(c, NULL, NULL, err);
		return;
	}
	tls_info(s, &info);
	CHECK(info.has_certificate && !info.resumed);
	finish(c, s, info.key_sha256, NULL);
}

static void on_slow(struct timer *t)
{
	struct verify_channel *c = container_of(t, struct verify_channel, timer);
	error_set(&c->err, ERR_TLS_TIMEOUT, "no TLS handshake within %d s", HANDSHAKE_MS / 1000);
	finish(c, NULL, NULL, &c->err);
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct verify_channel *c = arg;
	c->dial = NULL;
	if (err || !c->to->https) {
		finish(c, s, NULL, err);
		return;
	}
	timer_start(c->loop, &c->timer, HANDSHAKE_MS, on_slow);
	c->securing = tls_start(
		&(struct tls_start){.conf = c->tls, .lower = s, .host = c->to->host, .port = c->to->port},
		on_secure, c);
}

static void on_failed(struct task *t)
{
	struct verify_channel *c = container_of(t, struct verify_channel, failed);
	finish(c, NULL, NULL, &c->err);
}

struct verify_channel *verify_channel_start(struct loop *l, const struct target *to,
					    const struct tls_conf *tls, verify_channel_fn *fn, void *arg)
{
	struct verify_channel *c = mem_zero(sizeof *c);
	struct address a;
	char text[HOSTNAME_MAX + 16];
	bool v6 = to->type == HOSTNAME_IPV6;
	*c = (struct verify_channel){.loop = l, .to = to, .tls = tls, .fn = fn, .arg = arg};
	snprintf(text, sizeof text, "tcp:%s%s%s:%u", v6 ? "[" : "", to->host, v6 ? "]" : "", to->port);
	if (address_parse(text, &a, &c->err))
		c->dial = dial_start(l, &a, CONNECT_MS, on_dialled, c);
	else
		loop_post(l, &c->failed, on_failed);
	return c;
}

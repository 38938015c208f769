/* The way through the proxy by CONNECT, and our own TLS behind it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "demo/fetch_impl.h"
#include "http/write.h"
#include "proxy/exchange.h"
#include "proxy/trace.h"

static void on_secure(void *arg, struct stream *s, const struct error *err)
{
	struct fetch *x = arg;
	struct tls_info info;
	x->tls = NULL;
	if (err) {
		fetch_fail(x, err);
		return;
	}
	tls_info(s, &info);
	x->result.secured = monotonic_us();
	struct fetch_facts *f = &x->result.facts;
	snprintf(f->tls.protocol, sizeof f->tls.protocol, "%s", info.protocol);
	snprintf(f->tls.cipher, sizeof f->tls.cipher, "%s", info.cipher);
	snprintf(f->tls.subject, sizeof f->tls.subject, "%s", info.has_certificate ? info.subject : "");
	fetch_use(x, s);
}

static void on_connect_part(void *arg, struct part *part, const struct error *err)
{
	struct fetch *x = arg;
	struct error ended;
	if (!part) {
		error_set(&ended, ERR_RESET, "the proxy closed the connection without an answer to CONNECT");
		fetch_fail(x, err ? err : &ended);
		return;
	}
	bool opened = part->head && part->head->framing == BODY_RAW;
	if (opened && part->data) {
		stream_unread(x->stream, part->data);
		part->data = NULL;
	}
	fetch_take(x, part);
	if (!opened) {
		if (part->end)
			fetch_finish(x);
		else
			reader_read(x->reader, on_connect_part, x);
		return;
	}
	x->result.status = 0;
	x->result.answered = 0;
	x->result.tunnelled = monotonic_us();
	reader_free(x->reader);
	free(x->reader);
	x->reader = NULL;
	struct tls_start start = {
		.conf = x->fetcher->tls, .lower = x->stream, .host = x->url.host, .port = x->url.port};
	x->stream = NULL;
	x->tls = tls_start(&start, on_secure, x);
}

static void on_connect_sent(void *arg, const struct error *err)
{
	if (err)
		fetch_fail(arg, err);
}

void fetch_connect(struct fetch *x)
{
	struct head h;
	struct error err;
	buf_printf(&x->text, strchr(x->url.host, ':') ? "[%s]:%u" : "%s:%u", x->url.host, x->url.port);
	head_init_request(&h, SPAN("CONNECT"), buf_span(&x->text));
	head_add(&h, SPAN("Host"), buf_span(&x->text));
	head_add(&h, SPAN("User-Agent"), SPAN(FETCH_AGENT));
	head_add(&h, SPAN(TRACE_FIELD), SPAN("1"));
	if (!write_head(&x->connect, &h, &err)) {
		fetch_fail(x, &err);
		return;
	}
	x->reader = mem_zero(sizeof *x->reader);
	reader_init(x->reader, x->stream, HEAD_RESPONSE, &x->fetcher->limits, NULL, NULL);
	reader_next(x->reader, ASKED_CONNECT);
	struct span v = buf_span(&x->connect);
	stream_write(x->stream, &v, 1, on_connect_sent, x);
	reader_read(x->reader, on_connect_part, x);
}

#include "proxy/local.h"

#define JSON  SPAN("application/json")
#define PLAIN SPAN("text/plain; version=0.0.4; charset=utf-8")

static struct span path_of(struct exchange *x)
{
	struct span path = exchange_info(x)->target.path, before;
	return span_cut(&path, '?', &before) ? before : (struct span){"", 0};
}

static bool is_read(struct exchange *x)
{
	const struct head *h = exchange_info(x)->request;
	return head_method_is(h, "GET") || head_method_is(h, "HEAD");
}

enum local_path local_path(struct exchange *x)
{
	struct span path = path_of(x);
	if (is_read(x) && span_is(path, SPAN("/health")))
		return LOCAL_HEALTH;
	if (is_read(x) && span_is(path, SPAN("/metrics")))
		return LOCAL_METRICS;
	if ((span_is(path, SPAN("/attestation")) || span_starts(path, SPAN("/attestation/"))) &&
	    !head_method_is(exchange_info(x)->request, "OPTIONS"))
		return LOCAL_ATTESTATION;
	return LOCAL_OTHER;
}

static void reply(struct exchange *x, int status, struct span reason, struct span type, struct span body)
{
	struct head h;
	struct buf *text = exchange_text(x);
	head_init_response(&h, status, reason);
	h.keep_alive = true;
	if (body.n) {
		h.framing = BODY_LENGTH;
		h.body_length = body.n;
		head_add(&h, SPAN("Content-Type"), type);
		head_add(&h, SPAN("Content-Length"), buf_span(text));
	}
	head_add(&h, SPAN("Cache-Control"), SPAN("no-store"));
	exchange_reply(x, &h, body);
}

/* The value of Content-Length lives in the exchange's text, and stands there alone. */
static void reply_body(struct exchange *x, int status, struct span reason, struct span type, struct span body)
{
	struct buf *text = exchange_text(x);
	buf_clear(text);
	buf_printf(text, "%zu", body.n);
	reply(x, status, reason, type, body);
}

void local_init(struct local_waiting *w)
{
	w->count = 0;
}

void local_wait(struct local_waiting *w, struct exchange *x)
{
	struct error err;
	if (w->count < LOCAL_WAITING_MAX) {
		w->x[w->count++] = x;
		return;
	}
	error_set(&err, ERR_RATE, "too many requests for /health at a time");
	exchange_refuse(x, &err);
}

void local_forget(struct local_waiting *w, const struct exchange *x)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->x[i] == x)
			w->x[i--] = w->x[--w->count];
}

void local_answer_all(struct local_waiting *w, struct span json, bool ok)
{
	struct local_waiting all = *w;
	w->count = 0;
	for (size_t i = 0; i < all.count; i++)
		reply_body(all.x[i], ok ? 200 : 503, ok ? SPAN("OK") : SPAN("Service Unavailable"), JSON,
			   json);
}

void local_answer(struct exchange *x, struct span type, struct span body)
{
	reply_body(x, 200, SPAN("OK"), type, body);
}

void local_metrics(struct exchange *x, struct span text)
{
	local_answer(x, PLAIN, text);
}

void local_other(struct exchange *x)
{
	const struct head *h = exchange_info(x)->request;
	struct span path = path_of(x);
	struct error err;
	if (is_read(x) && span_is(path, SPAN("/health/live"))) {
		reply_body(x, 200, SPAN("OK"), JSON, SPAN("{\"status\":\"ok\"}"));
	} else if (head_method_is(h, "OPTIONS")) {
		reply(x, 204, SPAN("No Content"), JSON, (struct span){"", 0});
	} else {
		error_set_hop(&err, ERR_NOT_FOUND, HOP_CLIENT,
			      "no target: ask for /https://HOST/PATH, set X-Target-URL, or use this as an "
			      "HTTP proxy");
		exchange_refuse(x, &err);
	}
}

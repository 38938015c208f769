#include "demo/fetch_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "demo/noise.h"
#include "proxy/exchange.h"
#include "proxy/trace.h"
#include "tls/hash.h"

/* ---- connections ---- */

/* The owner of a connection is its fetch, or, while it is idle, the fetcher. */
static void on_idle(void *owner, struct client_conn *c)
{
	struct fetcher *f = owner;
	if (f->idle)
		client_conn_free(c);
	else
		f->idle = c;
}

static void on_dead(void *owner, struct client_conn *c)
{
	struct fetcher *f = owner;
	if (f->idle == c)
		f->idle = NULL;
	client_conn_free(c);
}

void fetcher_end(struct fetcher *f)
{
	if (f->idle)
		client_conn_free(f->idle);
	f->idle = NULL;
}

/* ---- the end ---- */

/* Lets go of every connection: the one that may be kept is free again before the caller hears of it. */
static void let_go(struct fetch *x)
{
	struct error cut = {.kind = ERR_CANCELLED};
	struct leg *leg = x->leg;
	timer_stop(x->fetcher->loop, &x->timer);
	task_cancel(&x->done);
	if (x->dial)
		dial_cancel(x->dial);
	if (x->reader) {
		reader_cancel(x->reader);
		reader_free(x->reader);
	}
	free(x->reader);
	if (x->tls)
		tls_cancel(x->tls);
	stream_close(x->stream);
	x->dial = NULL;
	x->reader = NULL;
	x->tls = NULL;
	x->stream = NULL;
	x->leg = NULL;
	if (leg)
		leg_close(leg, x->all_sent && x->all_read && x->keep ? NULL : &cut);
}

static void free_fetch(struct fetch *x)
{
	let_go(x);
	block_put(x->block);
	hash_stream_end(x->hash, NULL);
	buf_free(&x->connect);
	buf_free(&x->text);
	buf_free(&x->result.body);
	free(x);
}

static void on_done(struct task *t)
{
	struct fetch *x = container_of(t, struct fetch, done);
	struct fetch_result *r = &x->result;
	r->done = monotonic_us();
	hash_stream_end(x->hash, r->sha256);
	x->hash = NULL;
	if (r->facts.problem_follows)
		facts_of_problem(&r->facts, buf_span(&r->body));
	let_go(x);
	x->fn(x->arg, r);
	free_fetch(x);
}

void fetch_finish(struct fetch *x)
{
	if (!task_posted(&x->done))
		loop_post(x->fetcher->loop, &x->done, on_done);
}

void fetch_fail(struct fetch *x, const struct error *err)
{
	if (task_posted(&x->done))
		return;
	x->result.failed = true;
	x->result.err = *err;
	fetch_finish(x);
}

static void on_timeout(struct timer *t)
{
	struct fetch *x = container_of(t, struct fetch, timer);
	struct error err;
	error_set(&err, ERR_TIMEOUT, "%s within %llu ms",
		  x->result.answered	? "the answer was not complete"
		  : x->result.connected ? "no answer"
					: "no connection to the proxy",
		  (unsigned long long)x->request.timeout_ms);
	fetch_fail(x, &err);
}

/* ---- the answer ---- */

void fetch_take(struct fetch *x, struct part *part)
{
	struct fetch_result *r = &x->result;
	if (part->head && (part->head->status >= 200 || part->head->status == 101)) {
		r->status = part->head->status;
		r->answered = monotonic_us();
		facts_of_head(&r->facts, part->head);
	}
	if (!part->data)
		return;
	r->bytes += part->data->len;
	hash_stream_add(x->hash, block_span(part->data));
	size_t room = FETCH_BODY_MAX - r->body.n;
	buf_add(&r->body, part->data->data, part->data->len < room ? part->data->len : room);
	block_put(part->data);
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct fetch *x = arg;
	if (!part) {
		fetch_fail(x, err);
		return;
	}
	if (part->head)
		x->keep = x->request.keep && part->head->keep_alive;
	fetch_take(x, part);
	x->all_read = part->end;
	if (part->end)
		fetch_finish(x);
	else
		leg_read(x->leg, on_part, x);
}

/* ---- the request ---- */

static void send_body(struct fetch *x, struct head *head);

static void on_sent(void *arg, const struct error *err)
{
	struct fetch *x = arg;
	block_put(x->block);
	x->block = NULL;
	/* A failed write says less than the answer that is on its way, or than the read that fails, too. */
	if (err)
		return;
	if (x->part.end)
		x->all_sent = true;
	else
		send_body(x, NULL);
}

static void send_body(struct fetch *x, struct head *head)
{
	const struct fetch_request *r = &x->request;
	if (r->noise || r->body.n) {
		x->block = block_get(loop_blocks(x->fetcher->loop));
		if (r->noise) {
			uint64_t left = r->noise - x->sent;
			x->block->len = left < BLOCK_SIZE ? (size_t)left : BLOCK_SIZE;
			noise_fill(r->seed, x->sent, x->block->data, x->block->len);
		} else {
			x->block->len = r->body.n;
			memcpy(x->block->data, r->body.p, r->body.n);
		}
		x->sent += x->block->len;
	}
	x->part = (struct part){
		.head = head, .data = x->block, .end = x->sent == (r->noise ? r->noise : r->body.n)};
	leg_send(x->leg, &x->part, on_sent, x);
}

/* What the request line and Host say, by form. */
static void address_request(struct fetch *x)
{
	const struct fetch_request *r = &x->request;
	struct buf *t = &x->text;
	const char *line = r->form == FETCH_FIELD ? "/" : r->form == FETCH_CONNECT ? x->url.path : r->url;
	buf_printf(t, "%s%s", r->form == FETCH_PATH ? "/" : "", line);
	size_t n = t->n;
	bool direct = r->form == FETCH_CONNECT || r->form == FETCH_ABSOLUTE;
	buf_add_text(t, direct ? x->url.authority : x->fetcher->authority);
	head_init_request(&x->head, span_of(r->method), (struct span){t->p, n});
	head_add(&x->head, SPAN("Host"), span_from(buf_span(t), n));
	if (r->form == FETCH_FIELD)
		head_add(&x->head, SPAN("X-Target-URL"), span_of(r->url));
}

static void exchange(struct fetch *x)
{
	const struct fetch_request *r = &x->request;
	struct head *h = &x->head;
	x->leg = client_conn_leg(x->conn);
	x->result.reused = client_conn_reused(x->conn);
	buf_clear(&x->text);
	address_request(x);
	head_add(h, SPAN("User-Agent"), SPAN(FETCH_AGENT));
	if (r->form != FETCH_CONNECT)
		head_add(h, SPAN(TRACE_FIELD), SPAN("1"));
	for (size_t i = 0; i < r->field_count; i++)
		head_add(h, r->fields[i].name, r->fields[i].value);
	uint64_t size = r->noise ? r->noise : r->body.n;
	if (size && r->chunked) {
		h->framing = BODY_CHUNKED;
	} else if (size) {
		h->framing = BODY_LENGTH;
		h->body_length = size;
		snprintf(x->length, sizeof x->length, "%llu", (unsigned long long)size);
		head_add(h, SPAN("Content-Length"), span_of(x->length));
	}
	send_body(x, h);
	leg_read(x->leg, on_part, x);
}

void fetch_use(struct fetch *x, struct stream *s)
{
	struct client_conn_events events = {.on_idle = on_idle, .on_dead = on_dead, .owner = x->fetcher};
	x->conn = client_conn_new(s, &x->fetcher->limits, &events);
	exchange(x);
}

/* ---- the start ---- */

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct fetch *x = arg;
	struct error why;
	x->dial = NULL;
	if (err) {
		why = *err;
		why.hop = HOP_CLIENT;
		fetch_fail(x, &why);
		return;
	}
	x->result.connected = monotonic_us();
	if (x->request.form == FETCH_CONNECT) {
		x->stream = s;
		fetch_connect(x);
	} else {
		fetch_use(x, s);
	}
}

struct fetch *fetch_start(struct fetcher *f, const struct fetch_request *request, fetch_fn *fn, void *arg)
{
	struct fetch *x = mem_zero(sizeof *x);
	struct error err;
	x->fetcher = f;
	x->request = *request;
	x->fn = fn;
	x->arg = arg;
	x->hash = hash_stream_start();
	x->result.started = monotonic_us();
	buf_init(&x->connect, HEAD_MAX_BYTES);
	buf_init(&x->text, HEAD_MAX_BYTES);
	buf_init(&x->result.body, FETCH_BODY_MAX);
	timer_start(f->loop, &x->timer, request->timeout_ms, on_timeout);
	if (request->form != FETCH_SELF && !url_parse(request->url, &x->url, &err)) {
		fetch_fail(x, &err);
	} else if (request->keep && f->idle) {
		x->conn = f->idle;
		f->idle = NULL;
		x->result.connected = x->result.started;
		exchange(x);
	} else {
		x->dial = dial_start(f->loop, &f->proxy, request->timeout_ms, on_dialled, x);
	}
	return x;
}

void fetch_cancel(struct fetch *x)
{
	free_fetch(x);
}

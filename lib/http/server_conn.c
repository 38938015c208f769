#include "http/server_conn.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/reader.h"
#include "http/reply.h"
#include "http/writer.h"

#define LINGER_MS    2000
#define LINGER_BYTES (1024 * 1024)

enum state { IDLE, HEAD, EXCHANGE, LINGER };

struct server_conn {
	struct stream *stream;		   /* owned; NULL: detached from the leg, and c waits for its close */
	struct server_conn_config *config; /* borrowed */
	struct list link;		   /* in config->conns */
	struct reader reader;
	struct writer writer;
	struct leg leg;
	struct timer timer;
	enum state state;
	bool draining;
	bool close_after;  /* the response said so, or the client did */
	bool minor_zero;   /* the client speaks HTTP/1.0 */
	bool response_raw; /* a 101 or a CONNECT's 2xx was sent */
	bool connect;	   /* the request is a CONNECT */
	size_t lingered;
	/* a read behind the end of the request: see watch */
	leg_read_fn *watch_fn;
	void *watch_arg;
	struct buf refusal; /* our answer to a head that is none */
};

static const struct leg_ops leg_ops;

static void next_request(struct server_conn *c);

static void destroy(struct server_conn *c)
{
	if (c->stream)
		timer_stop(stream_loop(c->stream), &c->timer);
	list_remove(&c->link);
	c->config->count--;
	reader_cancel(&c->reader);
	reader_free(&c->reader);
	stream_close(c->stream);
	writer_free(&c->writer);
	buf_free(&c->refusal);
	free(c);
}

static void closed(struct server_conn *c)
{
	c->config->on_closed(c->config->owner, c);
	destroy(c);
}

static void on_timer(struct timer *t);

static void set_timer(struct server_conn *c, uint64_t ms)
{
	timer_start(stream_loop(c->stream), &c->timer, ms, on_timer);
}

/* ---- the end of a connection ---- */

static void on_linger_read(void *arg, struct block *b, const struct error *err)
{
	struct server_conn *c = arg;
	(void)err;
	if (!b) {
		closed(c);
		return;
	}
	c->lingered += b->len;
	block_put(b);
	if (c->lingered > LINGER_BYTES)
		closed(c);
	else
		stream_read(c->stream, on_linger_read, c);
}

static void on_linger_shutdown(void *arg, const struct error *err)
{
	struct server_conn *c = arg;
	if (err)
		closed(c);
	else
		stream_read(c->stream, on_linger_read, c);
}

static void linger(struct server_conn *c)
{
	c->state = LINGER;
	set_timer(c, LINGER_MS);
	stream_shutdown(c->stream, on_linger_shutdown, c);
}

/* ---- a head that cannot be read ---- */

static void on_refusal_written(void *arg, const struct error *err)
{
	struct server_conn *c = arg;
	if (err)
		closed(c);
	else
		linger(c);
}

static void refuse(struct server_conn *c, const struct error *why)
{
	struct error err = *why;
	c->state = LINGER;
	err.hop = HOP_CLIENT;
	c->config->on_refused(c->config->owner, c, &err);
	reply_error(&c->refusal, &err, c->config->agent);
	set_timer(c, LINGER_MS);
	struct span v = buf_span(&c->refusal);
	stream_write(c->stream, &v, 1, on_refusal_written, c);
}

/* ---- requests ---- */

static void on_started(void *owner)
{
	struct server_conn *c = owner;
	if (c->state != IDLE)
		return;
	c->state = HEAD;
	set_timer(c, c->config->header_ms);
}

static void on_timer(struct timer *t)
{
	struct server_conn *c = container_of(t, struct server_conn, timer);
	struct error err;
	if (c->state != HEAD) {
		closed(c);
		return;
	}
	reader_cancel(&c->reader);
	error_set(&err, ERR_CLIENT_TIMEOUT, "the request's head did not come within %llu ms",
		  (unsigned long long)c->config->header_ms);
	refuse(c, &err);
}

static void on_first_part(void *arg, struct part *part, const struct error *err)
{
	struct server_conn *c = arg;
	timer_stop(stream_loop(c->stream), &c->timer);
	if (!part) {
		if (err && err->kind != ERR_RESET && err->kind != ERR_IO && err->kind != ERR_CLIENT_GONE)
			refuse(c, err);
		else
			closed(c);
		return;
	}
	c->state = EXCHANGE;
	c->minor_zero = part->head->minor == 0;
	c->close_after = !part->head->keep_alive;
	c->connect = head_method_is(part->head, "CONNECT");
	c->config->on_request(c->config->owner, c, &c->leg, part);
}

static void next_request(struct server_conn *c)
{
	reader_next(&c->reader, ASKED_OTHER);
	writer_next(&c->writer);
	c->state = IDLE;
	c->response_raw = false;
	reader_read(&c->reader, on_first_part, c);
}

/* ---- the leg ---- */

static struct server_conn *of(struct leg *leg)
{
	return container_of(leg, struct server_conn, leg);
}

/*
 * Behind the end of the request: bytes are the next request or what follows an upgrade and stay
 * in the stream. An end says that the client will not ask again, not that it does not listen.
 */
static void on_watch(void *arg, struct block *b, const struct error *err)
{
	struct server_conn *c = arg;
	if (b) {
		stream_unread(c->stream, b);
		return;
	}
	c->close_after = true;
	if (!err)
		return;
	leg_read_fn *fn = c->watch_fn;
	c->watch_fn = NULL;
	fn(c->watch_arg, NULL, err);
}

static void server_read(struct leg *leg, leg_read_fn *fn, void *arg)
{
	struct server_conn *c = of(leg);
	if (c->reader.state == READER_DONE && !c->response_raw) {
		c->watch_fn = fn;
		c->watch_arg = arg;
		stream_read(c->stream, on_watch, c);
		return;
	}
	reader_read(&c->reader, fn, arg);
}

static void go_raw(struct server_conn *c)
{
	c->response_raw = true;
	c->close_after = true;
	reader_go_raw(&c->reader);
	if (!c->watch_fn)
		return;
	leg_read_fn *fn = c->watch_fn;
	c->watch_fn = NULL;
	if (stream_reading(c->stream))
		stream_read_cancel(c->stream);
	reader_read(&c->reader, fn, c->watch_arg);
}

/* A response's head as this connection needs it: how its body ends, and what becomes of the connection. */
static void frame_response(struct server_conn *c, struct head *h)
{
	bool interim = h->status < 200 && h->status != 101;
	if (interim)
		return;
	if (h->framing == BODY_CLOSE && !c->minor_zero)
		h->framing = BODY_CHUNKED;
	else if (h->framing == BODY_CHUNKED && c->minor_zero)
		h->framing = BODY_CLOSE;
	writer_add_framing(h);
	if (h->framing == BODY_RAW)
		return;
	/* An answer before the end of the request: what is left of that will not be waited for. */
	bool early = c->reader.state != READER_DONE;
	if (early || c->draining || h->framing == BODY_CLOSE || !h->keep_alive ||
	    (c->connect && h->status >= 300))
		c->close_after = true;
	if (c->close_after)
		head_add(h, SPAN("Connection"), SPAN("close"));
	else if (c->minor_zero)
		head_add(h, SPAN("Connection"), SPAN("keep-alive"));
}

static void server_send(struct leg *leg, const struct part *part, leg_send_fn *fn, void *arg)
{
	struct server_conn *c = of(leg);
	struct head *h = part->head;
	if (!h) {
		writer_send(&c->writer, NULL, part, fn, arg);
		return;
	}
	struct part rest = *part;
	bool interim = h->status < 200 && h->status != 101;
	if (interim && c->minor_zero) { /* an HTTP/1.0 client knows no 1xx (RFC 9110 section 15.2) */
		struct span nothing = {"", 0};
		stream_write(c->stream, &nothing, 1, fn, arg);
		return;
	}
	size_t count = h->count;
	enum body_framing framing = h->framing;
	frame_response(c, h);
	if (h->framing == BODY_RAW)
		rest.end = false; /* the switch is no end of our direction */
	writer_send(&c->writer, h, &rest, fn, arg);
	h->count = count;
	h->framing = framing;
	if (framing == BODY_RAW)
		go_raw(c);
}

static void stop_reading(struct server_conn *c)
{
	c->watch_fn = NULL;
	reader_cancel(&c->reader);
	if (stream_reading(c->stream))
		stream_read_cancel(c->stream);
}

static bool server_bare(const struct leg *leg)
{
	return container_of(leg, const struct server_conn, leg)->response_raw;
}

static struct stream *server_detach(struct leg *leg)
{
	struct server_conn *c = of(leg);
	struct stream *s = c->stream;
	CHECK(c->response_raw && !c->writer.fn);
	stop_reading(c);
	c->stream = NULL;
	return s;
}

/*
 * What goes on to the connection's end has no other way to tell a break: raw bytes, a body without a length.
 */
static bool ends_with_connection(const struct server_conn *c)
{
	return c->response_raw || (c->writer.begun && c->writer.framing == BODY_CLOSE);
}

static void break_off(struct server_conn *c)
{
	timer_stop(stream_loop(c->stream), &c->timer);
	stream_abort(c->stream);
	c->stream = NULL;
	closed(c);
}

static void server_close(struct leg *leg, const struct error *why)
{
	struct server_conn *c = of(leg);
	bool request_read = c->reader.state == READER_DONE && !c->reader.failed;
	bool answered = c->writer.done && !c->writer.fn;
	if (!c->stream) {
		closed(c);
		return;
	}
	stop_reading(c);
	if ((why || !answered) && ends_with_connection(c))
		break_off(c);
	else if (why || !answered || c->response_raw)
		closed(c); /* raw: both directions have ended */
	else if (!request_read)
		linger(c);
	else if (c->close_after || c->draining)
		linger(c);
	else {
		set_timer(c, c->config->idle_ms);
		next_request(c);
	}
}

static const struct leg_ops leg_ops = {server_read, server_send, server_close, server_bare, server_detach};

/* ---- life ---- */

struct server_conn *server_conn_start(struct stream *s, struct server_conn_config *config)
{
	struct server_conn *c = mem_zero(sizeof *c);
	c->stream = s;
	c->config = config;
	c->leg.ops = &leg_ops;
	list_append(&config->conns, &c->link);
	config->count++;
	buf_init(&c->refusal, REPLY_MAX);
	reader_init(&c->reader, s, HEAD_REQUEST, &config->limits, on_started, c);
	writer_init(&c->writer, s);
	set_timer(c, config->header_ms);
	next_request(c);
	return c;
}

void server_conn_drain_all(struct server_conn_config *config)
{
	LIST_EACH (it, &config->conns) {
		struct server_conn *c = container_of(it, struct server_conn, link);
		c->draining = true;
		if (c->state == IDLE)
			closed(c);
	}
}

void server_conn_close_all(struct server_conn_config *config)
{
	LIST_EACH (it, &config->conns)
		destroy(container_of(it, struct server_conn, link));
}

struct stream *server_conn_stream(struct server_conn *c)
{
	return c->stream;
}

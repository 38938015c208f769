#include "http/client_conn.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/reader.h"
#include "http/writer.h"

struct client_conn {
	struct stream *stream; /* owned; NULL: detached from the leg */
	struct client_conn_events events;
	struct reader reader;
	struct writer writer;
	struct leg leg;
	bool keep_alive; /* the response allows another exchange */
	bool broken;	 /* raw bytes broke off: the service shall not take what it got for all there was */
	bool watched;	 /* it was idle, and may still be read from for that */
	unsigned exchanges;
	struct task swallowed; /* raw: the request's head, as if it had been sent */
	struct task answered;  /* raw: the 200, as if it had come */
	struct head *opened;   /* owned; raw: the 200 */
	leg_read_fn *read_fn;  /* raw: waiting for it */
	void *read_arg;
	leg_send_fn *send_fn;
	void *send_arg;
};

static struct client_conn *of(struct leg *leg)
{
	return container_of(leg, struct client_conn, leg);
}

/* ---- while idle: the peer has nothing to say but goodbye ---- */

static void on_idle_read(void *arg, struct block *b, const struct error *err)
{
	struct client_conn *c = arg;
	(void)err;
	block_put(b); /* bytes that nobody asked for end the connection too */
	c->events.on_dead(c->events.owner, c);
}

void client_conn_wait(struct client_conn *c)
{
	c->watched = true;
	stream_read(c->stream, on_idle_read, c);
}

/* ---- an exchange ---- */

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct client_conn *c = arg;
	struct error ended;
	if (!part && !err) {
		error_set(&ended, ERR_RESET, "the connection was closed before a response");
		err = &ended;
	}
	if (part && part->head && (part->head->status >= 200 || part->head->status == 101)) {
		c->keep_alive = part->head->keep_alive && part->head->framing != BODY_RAW;
		if (part->head->framing == BODY_RAW)
			writer_go_raw(&c->writer);
	}
	c->read_fn(c->read_arg, part, err);
}

static void client_read(struct leg *leg, leg_read_fn *fn, void *arg)
{
	struct client_conn *c = of(leg);
	c->read_fn = fn;
	c->read_arg = arg;
	reader_read(&c->reader, on_part, c);
}

static void client_send(struct leg *leg, const struct part *part, leg_send_fn *fn, void *arg)
{
	struct client_conn *c = of(leg);
	struct head *h = part->head;
	if (!h) {
		writer_send(&c->writer, NULL, part, fn, arg);
		return;
	}
	reader_next(&c->reader, head_method_is(h, "HEAD")      ? ASKED_HEAD
				: head_method_is(h, "CONNECT") ? ASKED_CONNECT
							       : ASKED_OTHER);
	size_t count = h->count;
	writer_add_framing(h);
	writer_send(&c->writer, h, part, fn, arg);
	h->count = count;
}

static void client_close(struct leg *leg, const struct error *why)
{
	struct client_conn *c = of(leg);
	bool whole = c->writer.done && !c->writer.fn && c->reader.state == READER_DONE && !c->reader.failed;
	reader_cancel(&c->reader);
	task_cancel(&c->swallowed);
	task_cancel(&c->answered);
	if (why || !whole || !c->keep_alive) {
		c->broken = !whole && c->writer.begun && c->writer.framing == BODY_RAW;
		c->events.on_dead(c->events.owner, c);
		return;
	}
	client_conn_wait(c);
	c->events.on_idle(c->events.owner, c);
}

static bool client_bare(const struct leg *leg)
{
	const struct client_conn *c = container_of(leg, const struct client_conn, leg);
	return c->writer.begun && c->writer.framing == BODY_RAW && c->reader.state == READER_RAW;
}

static struct stream *client_detach(struct leg *leg)
{
	struct client_conn *c = of(leg);
	struct stream *s = c->stream;
	CHECK(client_bare(leg) && !c->writer.fn);
	reader_cancel(&c->reader);
	c->stream = NULL;
	return s;
}

static const struct leg_ops client_ops = {client_read, client_send, client_close, client_bare, client_detach};

/* ---- CONNECT: the head is swallowed, the answer is ours ---- */

static void on_swallowed(struct task *t)
{
	struct client_conn *c = container_of(t, struct client_conn, swallowed);
	writer_go_raw(&c->writer);
	reader_go_raw(&c->reader);
	c->send_fn(c->send_arg, NULL);
}

static void raw_send(struct leg *leg, const struct part *part, leg_send_fn *fn, void *arg)
{
	struct client_conn *c = of(leg);
	if (!part->head) {
		writer_send(&c->writer, NULL, part, fn, arg);
		return;
	}
	c->send_fn = fn;
	c->send_arg = arg;
	loop_post(stream_loop(c->stream), &c->swallowed, on_swallowed);
}

static void on_answered(struct task *t)
{
	struct client_conn *c = container_of(t, struct client_conn, answered);
	struct part part = {.head = c->opened};
	c->read_fn(c->read_arg, &part, NULL);
}

static void raw_read(struct leg *leg, leg_read_fn *fn, void *arg)
{
	struct client_conn *c = of(leg);
	if (c->opened) {
		reader_read(&c->reader, fn, arg);
		return;
	}
	c->opened = mem_alloc(sizeof *c->opened);
	head_init_response(c->opened, 200, SPAN("Connection established"));
	c->opened->framing = BODY_RAW;
	c->read_fn = fn;
	c->read_arg = arg;
	loop_post(stream_loop(c->stream), &c->answered, on_answered);
}

static const struct leg_ops raw_ops = {raw_read, raw_send, client_close, client_bare, client_detach};

/* ---- life ---- */

static struct client_conn *make(struct stream *s, const struct parse_limits *limits,
				const struct client_conn_events *events)
{
	struct client_conn *c = mem_zero(sizeof *c);
	c->stream = s;
	c->events = *events;
	c->leg.ops = &client_ops;
	reader_init(&c->reader, s, HEAD_RESPONSE, limits, NULL, NULL);
	writer_init(&c->writer, s);
	return c;
}

struct client_conn *client_conn_new(struct stream *s, const struct parse_limits *limits,
				    const struct client_conn_events *events)
{
	return make(s, limits, events);
}

struct client_conn *client_conn_new_raw(struct stream *s, const struct client_conn_events *events)
{
	struct client_conn *c = make(s, NULL, events);
	c->leg.ops = &raw_ops;
	return c;
}

void client_conn_free(struct client_conn *c)
{
	task_cancel(&c->swallowed);
	task_cancel(&c->answered);
	reader_cancel(&c->reader);
	reader_free(&c->reader);
	if (c->broken)
		stream_abort(c->stream);
	else
		stream_close(c->stream);
	writer_free(&c->writer);
	free(c->opened);
	free(c);
}

struct leg *client_conn_leg(struct client_conn *c)
{
	if (c->watched)
		stream_read_cancel(c->stream);
	c->watched = false;
	c->exchanges++;
	writer_next(&c->writer);
	return &c->leg;
}

bool client_conn_stale(const struct client_conn *c)
{
	return stream_ready(c->stream);
}

bool client_conn_reused(const struct client_conn *c)
{
	return c->exchanges > 1;
}

struct stream *client_conn_stream(struct client_conn *c)
{
	return c->stream;
}

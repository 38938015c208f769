#include <stdlib.h>

#include "base/mem.h"
#include "proxy/channel.h"
#include "proxy/framed.h"

struct channel_client {
	struct stream *stream; /* owned; NULL: detached from the leg */
	bool half_closes;
	struct channel_client_events events;
	struct framed_reader reader;
	struct framed_writer writer;
	struct leg leg;
	uint64_t id;
	unsigned exchanges;
	bool watching; /* a read is pending on the idle stream */
	channel_ping_fn *ping_fn;
	void *ping_arg;
	leg_read_fn *read_fn;
	void *read_arg;
};

static struct channel_client *of(struct leg *leg)
{
	return container_of(leg, struct channel_client, leg);
}

/* ---- while idle ---- */

static void on_idle_read(void *arg, struct block *b, const struct error *err)
{
	struct channel_client *c = arg;
	(void)err;
	c->watching = false;
	block_put(b);
	c->events.on_dead(c->events.owner, c);
}

static void go_idle(struct channel_client *c)
{
	c->watching = true;
	stream_read(c->stream, on_idle_read, c);
	c->events.on_idle(c->events.owner, c);
}

static void leave_idle(struct channel_client *c)
{
	if (c->watching)
		stream_read_cancel(c->stream);
	c->watching = false;
	c->exchanges++;
	framed_write_next(&c->writer);
}

/* ---- an exchange ---- */

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct channel_client *c = arg;
	struct error ended;
	if (!part && !err) {
		error_set_hop(&ended, ERR_RESET, HOP_ENCLAVE, "the enclave closed the connection");
		err = &ended;
	}
	if (part && part->head && part->head->framing == BODY_RAW)
		framed_write_raw(&c->writer);
	c->read_fn(c->read_arg, part, err);
}

static void channel_read(struct leg *leg, leg_read_fn *fn, void *arg)
{
	struct channel_client *c = of(leg);
	c->read_fn = fn;
	c->read_arg = arg;
	framed_read(&c->reader, on_part, c);
}

static void start_answer(struct channel_client *c, const struct head *request)
{
	bool connect = head_method_is(request, "CONNECT");
	framed_read_next(&c->reader, connect			       ? ASKED_CONNECT
				     : head_method_is(request, "HEAD") ? ASKED_HEAD
								       : ASKED_OTHER);
	c->reader.bare_ok = c->writer.bare = connect && c->half_closes;
}

static void channel_send(struct leg *leg, const struct part *part, leg_send_fn *fn, void *arg)
{
	struct channel_client *c = of(leg);
	const struct head *h = part->head;
	if (h)
		start_answer(c, h);
	framed_write(&c->writer, part, c->id, fn, arg);
}

static bool channel_bare(const struct leg *leg)
{
	return container_of(leg, const struct channel_client, leg)->reader.state == FRAMED_BARE;
}

static struct stream *channel_detach(struct leg *leg)
{
	struct channel_client *c = of(leg);
	struct stream *s = c->stream;
	CHECK(channel_bare(leg) && !c->writer.fn);
	stream_require_end(s);
	c->stream = NULL;
	return s;
}

static void channel_close(struct leg *leg, const struct error *why)
{
	struct channel_client *c = of(leg);
	bool whole = c->writer.done && !c->writer.fn && c->reader.state == FRAMED_DONE && !c->reader.failed;
	framed_read_cancel(&c->reader);
	if (why || !whole)
		c->events.on_dead(c->events.owner, c);
	else
		go_idle(c);
}

static const struct leg_ops leg_ops = {channel_read, channel_send, channel_close, channel_bare,
				       channel_detach};

/* ---- pings ---- */

static void ping_done(struct channel_client *c, struct span status, const struct error *err)
{
	channel_ping_fn *fn = c->ping_fn;
	void *arg = c->ping_arg;
	c->ping_fn = NULL;
	fn(arg, status, err);
}

static void on_pong(void *owner, struct span payload)
{
	struct channel_client *c = owner;
	framed_read_cancel(&c->reader);
	c->reader.on_ping = NULL;
	ping_done(c, payload, NULL);
	go_idle(c);
}

static void on_ping_failed(void *arg, struct part *part, const struct error *err)
{
	struct channel_client *c = arg;
	struct error bad;
	if (part)
		block_put(part->data);
	if (!err) {
		error_set_hop(&bad, ERR_PROTOCOL, HOP_ENCLAVE, "the enclave did not answer a ping");
		err = &bad;
	}
	ping_done(c, (struct span){0}, err);
	c->events.on_dead(c->events.owner, c);
}

static void on_ping_sent(void *arg, const struct error *err)
{
	struct channel_client *c = arg;
	if (err)
		on_ping_failed(c, NULL, err);
	else
		framed_read(&c->reader, on_ping_failed, c);
}

void channel_client_ping(struct channel_client *c, channel_ping_fn *fn, void *arg)
{
	leave_idle(c);
	c->ping_fn = fn;
	c->ping_arg = arg;
	framed_read_next(&c->reader, ASKED_OTHER);
	c->reader.on_ping = on_pong;
	framed_write_control(&c->writer, FRAME_PING, (struct span){0}, on_ping_sent, c);
}

/* ---- life ---- */

struct channel_client *channel_client_new(struct stream *s, const struct parse_limits *limits,
					  bool half_closes, const struct channel_client_events *events)
{
	struct channel_client *c = mem_zero(sizeof *c);
	c->stream = s;
	c->half_closes = half_closes;
	c->events = *events;
	c->leg.ops = &leg_ops;
	framed_reader_init(&c->reader, s, HEAD_RESPONSE, limits, NULL, c);
	framed_writer_init(&c->writer, s);
	return c;
}

void channel_client_free(struct channel_client *c)
{
	framed_read_cancel(&c->reader);
	framed_reader_free(&c->reader);
	stream_close(c->stream);
	framed_writer_free(&c->writer);
	free(c);
}

struct leg *channel_client_leg(struct channel_client *c, uint64_t id)
{
	leave_idle(c);
	c->id = id;
	return &c->leg;
}

bool channel_client_stale(const struct channel_client *c)
{
	return stream_ready(c->stream);
}

const struct stream *channel_client_stream(const struct channel_client *c)
{
	return c->stream;
}

bool channel_client_used(const struct channel_client *c)
{
	return c->exchanges > 0;
}

bool channel_client_reused(const struct channel_client *c)
{
	return c->exchanges > 1;
}

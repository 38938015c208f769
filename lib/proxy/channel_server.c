#include <stdlib.h>

#include "base/mem.h"
#include "proxy/channel.h"
#include "proxy/framed.h"

struct channel_server {
	struct stream *stream;		      /* owned; NULL: detached from the leg */
	struct channel_server_config *config; /* borrowed */
	struct list link;		      /* in config->conns */
	struct framed_reader reader;
	struct framed_writer writer;
	struct leg leg;
	bool exchange; /* a leg is out */
	bool draining;
	bool pinged;	       /* a PING waits for its answer */
	bool raw;	       /* the response was a switch to raw.. */
	bool bare;	       /* ..without frames: it is the last */
	leg_read_fn *watch_fn; /* a read behind the end of the request */
	void *watch_arg;
};

static const struct leg_ops leg_ops;

static void next_request(struct channel_server *c);

static void leave(struct channel_server *c)
{
	list_remove(&c->link);
	c->config->count--;
}

static void destroy(struct channel_server *c)
{
	framed_read_cancel(&c->reader);
	framed_reader_free(&c->reader);
	stream_close(c->stream);
	framed_writer_free(&c->writer);
	free(c);
}

static void closed(struct channel_server *c)
{
	leave(c);
	c->config->on_closed(c->config->owner, c);
	destroy(c);
}

/* ---- requests ---- */

static void on_first_part(void *arg, struct part *part, const struct error *err)
{
	struct channel_server *c = arg;
	if (part && c->writer.fn) { /* it was told to wait for the answer to its ping */
		struct error early;
		error_set(&early, ERR_PROTOCOL, "a request before the answer to a ping");
		block_put(part->data);
		on_first_part(c, NULL, &early);
		return;
	}
	if (part) {
		c->exchange = true;
		c->pinged = false;
		c->config->on_request(c->config->owner, c, c->reader.id, &c->leg, part);
		return;
	}
	if (err && err->kind != ERR_RESET && err->kind != ERR_IO) {
		struct error e = *err;
		e.hop = HOP_HOST;
		c->config->on_refused(c->config->owner, c, &e);
	}
	closed(c);
}

static void next_request(struct channel_server *c)
{
	framed_read_next(&c->reader, ASKED_OTHER);
	framed_write_next(&c->writer);
	c->exchange = false;
	framed_read(&c->reader, on_first_part, c);
}

static void on_pong_sent(void *arg, const struct error *err)
{
	(void)arg; /* if the host cannot be told, its connection's end is seen by the read */
	(void)err;
}

/* From now on the connection is no channel, and no longer counted as one. NULL: it was closed. */
static struct stream *give_up(struct channel_server *c, bool wanted)
{
	struct stream *s = wanted && !c->writer.fn ? c->stream : NULL; /* no answer to a ping is on its way */
	framed_read_cancel(&c->reader);
	if (s)
		c->stream = NULL;
	closed(c);
	return s;
}

static void become_trunk(struct channel_server *c, struct span payload)
{
	struct channel_server_config *config = c->config;
	struct trunk_hello hello;
	trunk_hello_read(payload, &hello);
	struct stream *s = give_up(c, config->on_trunk);
	if (s)
		config->on_trunk(config->owner, s, &hello);
}

static void become_watch(struct channel_server *c)
{
	struct channel_server_config *config = c->config;
	struct stream *s = give_up(c, config->on_watch);
	if (s)
		config->on_watch(config->owner, s);
}

static void on_ping(void *owner, struct span payload)
{
	struct channel_server *c = owner;
	if (c->reader.type == FRAME_WATCH) {
		become_watch(c);
		return;
	}
	if (c->reader.type == FRAME_TRUNK) {
		become_trunk(c, payload);
		return;
	}
	c->pinged = true; /* several at a time get one answer */
	c->config->on_ping(c->config->owner);
}

void channel_server_pong_all(struct channel_server_config *config, struct span status)
{
	LIST_EACH (it, &config->conns) {
		struct channel_server *c = container_of(it, struct channel_server, link);
		if (!c->pinged || c->exchange || c->writer.fn)
			continue;
		c->pinged = false;
		framed_write_control(&c->writer, FRAME_PONG, status, on_pong_sent, c);
	}
}

/* ---- the leg ---- */

static struct channel_server *of(struct leg *leg)
{
	return container_of(leg, struct channel_server, leg);
}

/* Behind the end of the request the host has nothing to say, unless the response is a switch to raw. */
static void on_watch(void *arg, struct block *b, const struct error *err)
{
	struct channel_server *c = arg;
	struct error gone;
	if (b) {
		stream_unread(c->stream, b);
		return;
	}
	if (!err) {
		error_set_hop(&gone, ERR_CLIENT_GONE, HOP_HOST, "the host gave the exchange up");
		err = &gone;
	}
	leg_read_fn *fn = c->watch_fn;
	c->watch_fn = NULL;
	fn(c->watch_arg, NULL, err);
}

static void channel_read(struct leg *leg, leg_read_fn *fn, void *arg)
{
	struct channel_server *c = of(leg);
	if (c->reader.state == FRAMED_DONE && !c->raw) {
		c->watch_fn = fn;
		c->watch_arg = arg;
		stream_read(c->stream, on_watch, c);
		return;
	}
	framed_read(&c->reader, fn, arg);
}

/* Nobody reads from here: whoever has the other leg is to detach the stream. */
static void go_bare(struct channel_server *c)
{
	c->bare = true;
	c->watch_fn = NULL;
	if (stream_reading(c->stream))
		stream_read_cancel(c->stream);
}

static void go_raw(struct channel_server *c)
{
	c->raw = true;
	framed_read_raw(&c->reader);
	leg_read_fn *fn = c->watch_fn;
	if (!fn)
		return;
	c->watch_fn = NULL;
	if (stream_reading(c->stream))
		stream_read_cancel(c->stream);
	framed_read(&c->reader, fn, c->watch_arg);
}

static void channel_send(struct leg *leg, const struct part *part, leg_send_fn *fn, void *arg)
{
	struct channel_server *c = of(leg);
	bool raw = part->head && part->head->framing == BODY_RAW;
	c->writer.bare = raw && c->reader.bare_ok;
	framed_write(&c->writer, part, 0, fn, arg);
	if (c->writer.bare)
		go_bare(c);
	else if (raw)
		go_raw(c);
}

static void on_error_sent(void *arg, const struct error *err)
{
	(void)err;
	closed(arg);
}

/* Tells the host why, if that can be said at once, and ends the connection. */
static void break_off(struct channel_server *c, const struct error *why)
{
	struct buf text;
	if (c->writer.fn) { /* in the middle of a frame */
		closed(c);
		return;
	}
	buf_init(&text, FRAME_ERROR_MAX);
	frame_error_write(&text, why);
	framed_write_control(&c->writer, FRAME_ERROR, buf_span(&text), on_error_sent, c);
	buf_free(&text);
}

static bool channel_bare(const struct leg *leg)
{
	return container_of(leg, const struct channel_server, leg)->bare;
}

static struct stream *channel_detach(struct leg *leg)
{
	struct channel_server *c = of(leg);
	struct stream *s = c->stream;
	CHECK(c->bare && !c->writer.fn);
	stream_require_end(s);
	c->stream = NULL;
	return s;
}

static void channel_close(struct leg *leg, const struct error *why)
{
	struct channel_server *c = of(leg);
	if (c->bare) { /* an ERROR would be taken for the tunnel's bytes */
		closed(c);
		return;
	}
	bool whole = c->reader.state == FRAMED_DONE && !c->reader.failed && c->writer.done && !c->writer.fn;
	c->watch_fn = NULL;
	framed_read_cancel(&c->reader);
	if (stream_reading(c->stream))
		stream_read_cancel(c->stream);
	if (why)
		break_off(c, why);
	else if (!whole || c->draining)
		closed(c);
	else {
		c->raw = false;
		next_request(c);
	}
}

static const struct leg_ops leg_ops = {channel_read, channel_send, channel_close, channel_bare,
				       channel_detach};

/* ---- life ---- */

struct channel_server *channel_server_start(struct stream *s, struct channel_server_config *config)
{
	struct channel_server *c = mem_zero(sizeof *c);
	c->stream = s;
	c->config = config;
	c->leg.ops = &leg_ops;
	list_append(&config->conns, &c->link);
	config->count++;
	framed_reader_init(&c->reader, s, HEAD_REQUEST, &config->limits, on_ping, c);
	framed_writer_init(&c->writer, s);
	next_request(c);
	return c;
}

void channel_server_drain_all(struct channel_server_config *config)
{
	LIST_EACH (it, &config->conns) {
		struct channel_server *c = container_of(it, struct channel_server, link);
		c->draining = true;
		if (!c->exchange)
			closed(c);
	}
}

void channel_server_close_all(struct channel_server_config *config)
{
	LIST_EACH (it, &config->conns) {
		struct channel_server *c = container_of(it, struct channel_server, link);
		leave(c);
		destroy(c);
	}
}

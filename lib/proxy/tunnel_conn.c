/*
 * One connection through the tunnel:
 *
 *	         connect             a socket             written
 *	REQUEST ---------> DIALLING ----------> ANSWERING ---------> RELAYING --> over
 *	   |                  |                                                    ^
 *	   | ping, too late,  | not allowed, no such name,                         |
 *	   | not understood   v nobody there                                       |
 *	   +--------------> PARTING -----------------------------------------------+
 *
 * PARTING writes the last answer, ends our direction and swallows what still comes for a moment: closing a
 * socket that has unread bytes resets it, and the answer might be lost on its way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/relay.h"
#include "proxy/access.h"
#include "proxy/tunnel_dial.h"
#include "proxy/tunnel_impl.h"
#include "proxy/tunnel_message.h"

#define PARTING_MS 1000

struct tunnel_conn {
	struct tunnel *tunnel;
	struct list link;
	struct stream *client;
	struct stream *service; /* while the answer is written; NULL else */
	struct tunnel_request request;
	struct tunnel_target target; /* once the request is there */
	struct timer timer;	     /* of the request, the answers */
	struct tunnel_dial *dial;    /* what runs now, or NULL */
	struct relay *relay;
	struct buf answer;
	char *early; /* owned: what came right behind the request, while the service is dialled */
	size_t early_len;
	uint64_t started, up, down;
	bool ping, failed;
	struct error err;
};

static void read_request(struct tunnel_conn *c);

struct tunnel_conn *tunnel_conn_of(struct list *in_conns)
{
	return container_of(in_conns, struct tunnel_conn, link);
}

/* ---- the end ---- */

static void release(struct tunnel_conn *c)
{
	struct tunnel *t = c->tunnel;
	timer_stop(t->loop, &c->timer);
	if (c->dial)
		tunnel_dial_cancel(c->dial);
	if (c->relay)
		relay_cancel(c->relay);
	stream_close(c->client);
	stream_close(c->service);
	tunnel_request_free(&c->request);
	buf_free(&c->answer);
	free(c->early);
	list_remove(&c->link);
	tunnel_target_free(&c->target);
	free(c);
	tunnel_conn_gone(t);
}

static enum log_level level_of(const struct tunnel_conn *c)
{
	if (c->ping)
		return LOG_DEBUG;
	bool odd = c->failed && (c->err.kind == ERR_PROTOCOL || c->err.kind == ERR_DENIED ||
				 c->err.kind == ERR_ADDRESS_DENIED || c->err.kind == ERR_LIMIT);
	return odd ? LOG_WARN : LOG_INFO;
}

static void over(struct tunnel_conn *c)
{
	struct tunnel *t = c->tunnel;
	char id[17];
	snprintf(id, sizeof id, "%016" PRIx64, c->request.id);
	struct error none = {0}, *err = c->failed ? &c->err : &none;
	t->stats->bytes_up += c->up;
	t->stats->bytes_down += c->down;
	if (c->failed)
		t->stats->errors[err->kind]++;
	log_write(level_of(c), c->ping ? "ping" : "tunnel", LOG_STR("id", c->request.id ? id : NULL),
		  LOG_STR("target", c->target.text[0] ? c->target.text : NULL), LOG_UINT("up", c->up),
		  LOG_UINT("down", c->down), LOG_MS("ms", (loop_now(t->loop) - c->started) * 1000),
		  LOG_STR("error", c->failed ? error_kind_name(err->kind) : NULL),
		  LOG_STR("hop", err->hop ? hop_name(err->hop) : NULL),
		  LOG_STR("detail", c->failed ? err->text : NULL));
	release(c);
}

static void fail(struct tunnel_conn *c, const struct error *err)
{
	c->failed = true;
	c->err = *err;
}

void tunnel_conn_cut(struct tunnel_conn *c)
{
	struct error err;
	if (c->relay)
		relay_bytes(c->relay, &c->up, &c->down);
	error_set_hop(&err, ERR_CANCELLED, HOP_TUNNEL, "the tunnel is ended");
	if (!c->failed && !c->ping)
		fail(c, &err);
	over(c);
}

static void on_parted(struct timer *t)
{
	over(container_of(t, struct tunnel_conn, timer));
}

static void on_swallow(void *arg, struct block *b, const struct error *err)
{
	struct tunnel_conn *c = arg;
	bool more = b && !err;
	block_put(b);
	if (more)
		stream_read(c->client, on_swallow, c);
	else
		over(c);
}

static void on_parting_ended(void *arg, const struct error *err)
{
	struct tunnel_conn *c = arg;
	if (err)
		over(c);
	else
		stream_read(c->client, on_swallow, c);
}

static void on_parting_written(void *arg, const struct error *err)
{
	struct tunnel_conn *c = arg;
	if (err)
		over(c);
	else
		stream_shutdown(c->client, on_parting_ended, c);
}

static void part(struct tunnel_conn *c)
{
	struct span v = buf_span(&c->answer);
	timer_start(c->tunnel->loop, &c->timer, PARTING_MS, on_parted);
	stream_write(c->client, &v, 1, on_parting_written, c);
}

static void refuse(struct tunnel_conn *c, const struct error *err)
{
	fail(c, err);
	if (!c->err.hop)
		c->err.hop = HOP_TUNNEL;
	CHECK(tunnel_error_write(&c->answer, &c->err));
	part(c);
}

/* ---- connected ---- */

static void on_relayed(void *arg, const struct relay_result *result)
{
	struct tunnel_conn *c = arg;
	c->relay = NULL;
	c->up = result->a_to_b;
	c->down = result->b_to_a;
	if (result->err)
		fail(c, result->err);
	over(c);
}

static void give_back_early(struct tunnel_conn *c)
{
	if (!c->early)
		return;
	struct block *b = block_get(loop_blocks(c->tunnel->loop));
	memcpy(b->data, c->early, c->early_len);
	b->len = c->early_len;
	stream_unread(c->client, b);
	free(c->early);
	c->early = NULL;
}

static void on_answered(void *arg, const struct error *err)
{
	struct tunnel_conn *c = arg;
	struct tunnel *t = c->tunnel;
	if (err) {
		fail(c, err);
		over(c);
		return;
	}
	timer_stop(t->loop, &c->timer);
	buf_free(&c->answer);
	give_back_early(c);
	struct relay_options options = {.idle_ms = t->settings->timeouts.tunnel_idle, .pipes = t->pipes};
	struct stream *client = c->client, *service = c->service;
	c->client = c->service = NULL;
	c->relay = relay_start(client, service, &options, on_relayed, c);
}

/*
 * Most connections that are quiet are idle ones in the enclave's pool, which it replaces without a
 * word; waiting for them would make each stop last the whole of timeouts.drain.
 */
#define DRAIN_QUIET_MS 3000

void tunnel_conn_drain(struct tunnel_conn *c)
{
	if (c->relay)
		relay_set_idle(c->relay, DRAIN_QUIET_MS);
}

static void on_answer_timeout(struct timer *t)
{
	struct tunnel_conn *c = container_of(t, struct tunnel_conn, timer);
	struct error err;
	error_set_hop(&err, ERR_TIMEOUT, HOP_TUNNEL, "the answer was not taken within %" PRIu64 " ms",
		      c->tunnel->settings->timeouts.tunnel_request);
	fail(c, &err);
	over(c);
}

static void on_dialled(void *arg, struct stream *service, const struct error *err)
{
	struct tunnel_conn *c = arg;
	c->dial = NULL;
	if (err) {
		refuse(c, err);
		return;
	}
	c->service = service;
	c->tunnel->stats->connected++;
	const char *transport = stream_transport(c->client);
	if (transport && strcmp(transport, c->request.transport) == 0)
		stream_require_end(c->client);
	tunnel_connected_write(&c->answer, transport);
	struct span v = buf_span(&c->answer);
	timer_start(c->tunnel->loop, &c->timer, c->tunnel->settings->timeouts.tunnel_request,
		    on_answer_timeout);
	stream_write(c->client, &v, 1, on_answered, c);
}

/* ---- the request ---- */

static void start_dial(struct tunnel_conn *c)
{
	struct error err;
	tunnel_target_init(&c->target, c->request.host, c->request.host_type, c->request.port);
	c->dial = tunnel_dial_start(c->tunnel, &c->target, on_dialled, c, &err);
	if (!c->dial)
		refuse(c, &err);
}

static void start_ping(struct tunnel_conn *c)
{
	struct buf status;
	c->ping = true;
	c->tunnel->stats->pings++;
	buf_init(&status, TUNNEL_MESSAGE_MAX);
	tunnel_status(c->tunnel, &status);
	CHECK(tunnel_status_write(&c->answer, buf_span(&status)));
	buf_free(&status);
	part(c);
}

/* It is no connection of ours any more. */
static void become_trunk(struct tunnel_conn *c)
{
	struct trunk_server *trunks = c->tunnel->trunks;
	struct trunk_hello hello = c->request.trunk;
	struct stream *s = c->client;
	c->client = NULL;
	release(c);
	trunk_server_take(trunks, s, &hello);
}

static void keep_early(struct tunnel_conn *c, const struct block *b)
{
	if (!b->len)
		return;
	c->early = mem_text_n((const char *)b->data, b->len);
	c->early_len = b->len;
}

static void take_request(struct tunnel_conn *c, struct block *b)
{
	struct error err;
	enum tunnel_request_result result = tunnel_request_feed(&c->request, b, &err);
	if (result == TUNNEL_REQUEST_CONNECT)
		keep_early(c, b);
	block_put(b);
	if (result != TUNNEL_REQUEST_MORE)
		timer_stop(c->tunnel->loop, &c->timer);
	switch (result) {
	case TUNNEL_REQUEST_MORE:
		read_request(c);
		break;
	case TUNNEL_REQUEST_CONNECT:
		tunnel_request_free(&c->request);
		start_dial(c);
		break;
	case TUNNEL_REQUEST_PING:
		start_ping(c);
		break;
	case TUNNEL_REQUEST_TRUNK:
		become_trunk(c);
		break;
	case TUNNEL_REQUEST_BAD:
		refuse(c, &err);
		break;
	}
}

static void on_request(void *arg, struct block *b, const struct error *err)
{
	struct tunnel_conn *c = arg;
	struct error gone;
	if (b) {
		take_request(c, b);
		return;
	}
	if (err)
		fail(c, err);
	else if (c->request.in.have)
		error_set(&gone, ERR_PROTOCOL, "the peer left in the middle of its request"), fail(c, &gone);
	else
		c->ping = true; /* somebody looked whether the port is open */
	over(c);
}

static void read_request(struct tunnel_conn *c)
{
	stream_read(c->client, on_request, c);
}

static void on_request_timeout(struct timer *t)
{
	struct tunnel_conn *c = container_of(t, struct tunnel_conn, timer);
	struct error err;
	stream_read_cancel(c->client);
	error_set(&err, ERR_CLIENT_TIMEOUT, "no whole request within %" PRIu64 " ms",
		  c->tunnel->settings->timeouts.tunnel_request);
	refuse(c, &err);
}

struct tunnel_conn *tunnel_conn_new(struct tunnel *t, struct stream *client)
{
	struct tunnel_conn *c = mem_zero(sizeof *c);
	struct error err;
	c->tunnel = t;
	c->client = client;
	c->started = loop_now(t->loop);
	list_append(&t->conns, &c->link);
	tunnel_request_init(&c->request);
	buf_init(&c->answer, TUNNEL_HEADER + TUNNEL_MESSAGE_MAX);
	if (!access_allows(t->settings, client, &err)) {
		err.hop = HOP_TUNNEL; /* from where the enclave stands */
		refuse(c, &err);
		return c;
	}
	timer_start(t->loop, &c->timer, t->settings->timeouts.tunnel_request, on_request_timeout);
	read_request(c);
	return c;
}

#include "bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/client_conn.h"
#include "mem_stream.h"
#include "until.h"

/* One of role.open's: answered by a task. */
struct opening {
	struct bench_side *side;
	struct exchange *x;
	bool fresh;
	struct task task;
	exchange_open_fn *fn;
	void *arg;
};

/* ---- connections to services ---- */

static void on_idle(void *owner, struct client_conn *c)
{
	struct bench_side *side = owner;
	if (!side->idle) {
		side->idle = c;
		return;
	}
	client_conn_free(c);
	side->open--;
}

static void on_dead(void *owner, struct client_conn *c)
{
	struct bench_side *side = owner;
	if (side->idle == c)
		side->idle = NULL;
	client_conn_free(c);
	side->open--;
}

static struct client_conn *new_service(struct bench_side *side, bool raw)
{
	static const struct parse_limits limits = {HEAD_MAX_BYTES, 100, HEAD_MAX_BYTES};
	struct bench *b = side->bench;
	struct client_conn_events events = {on_idle, on_dead, side};
	struct stream *near, *far;
	CHECK(b->services < BENCH_SERVICES);
	mem_pair(b->loop, b->capacity, &near, &far);
	wire_start(&b->service[b->services++], far, b->piece);
	side->open++;
	return raw ? client_conn_new_raw(near, &events) : client_conn_new(near, &limits, &events);
}

/* ---- the channel between the two sides ---- */

static void on_channel_idle(void *owner, struct channel_client *c)
{
	struct bench_side *side = owner;
	if (!side->channel) {
		side->channel = c;
		return;
	}
	channel_client_free(c);
	side->open--;
}

static void on_channel_dead(void *owner, struct channel_client *c)
{
	struct bench_side *side = owner;
	if (side->channel == c)
		side->channel = NULL;
	channel_client_free(c);
	side->open--;
}

static struct channel_client *new_channel(struct bench_side *side)
{
	static const struct parse_limits limits = {HEAD_MAX_BYTES, 120, HEAD_MAX_BYTES};
	struct bench *b = side->bench;
	struct channel_client_events events = {on_channel_idle, on_channel_dead, side};
	struct stream *near, *far;
	mem_pair(b->loop, b->capacity, &near, &far);
	CHECK(b->services < BENCH_SERVICES);
	if (b->false_enclave)
		wire_start(&b->service[b->services++], far, b->piece);
	else
		channel_server_start(far, &b->channels);
	side->open++;
	return channel_client_new(near, &limits, !b->hybrid, &events);
}

/* ---- the role ---- */

static void opened(struct task *t)
{
	struct opening *o = container_of(t, struct opening, task);
	struct opening did = *o;
	struct bench_side *side = did.side;
	struct bench *b = side->bench;
	struct leg *leg;
	bool reused;
	free(o);
	if (side == &b->enclave && b->fail_opens) {
		struct error err;
		b->fail_opens--;
		error_set(&err, ERR_REFUSED, "refused by the test");
		did.fn(did.arg, NULL, false, &err);
		return;
	}
	if (side == &b->host) {
		struct channel_client *c = did.fresh ? NULL : side->channel;
		if (c)
			side->channel = NULL;
		else
			c = new_channel(side);
		leg = channel_client_leg(c, exchange_info(did.x)->id);
		reused = channel_client_reused(c);
	} else {
		bool raw = head_method_is(exchange_info(did.x)->request, "CONNECT");
		struct client_conn *c = did.fresh || raw ? NULL : side->idle;
		if (c)
			side->idle = NULL;
		else
			c = new_service(side, raw);
		leg = client_conn_leg(c);
		reused = client_conn_reused(c);
	}
	did.fn(did.arg, leg, reused, NULL);
}

static void *on_open(void *owner, struct exchange *x, bool fresh, exchange_open_fn *fn, void *arg)
{
	struct bench_side *side = owner;
	struct opening *o = mem_zero(sizeof *o);
	*o = (struct opening){.side = side, .x = x, .fresh = fresh, .fn = fn, .arg = arg};
	if (side->bench->slow_opens && side == &side->bench->enclave)
		side->bench->waiting = o;
	else
		loop_post(side->bench->loop, &o->task, opened);
	return o;
}

static void on_cancel(void *owner, void *opening)
{
	struct opening *o = opening;
	if (o->side->bench->waiting == o)
		o->side->bench->waiting = NULL;
	(void)owner;
	task_cancel(&o->task);
	free(o);
}

static bool on_response(void *owner, struct exchange *x, struct head *head, struct error *err)
{
	struct bench_side *side = owner;
	if (head->status == 101 && !exchange_info(x)->request->upgrade)
		return error_set(err, ERR_UPGRADE, "switched unasked");
	hop_clean(head, &side->via);
	return true;
}

static void on_done(void *owner, struct exchange *x)
{
	struct bench_side *side = owner;
	side->done++;
	side->last = *exchange_info(x);
}

static void side_init(struct bench_side *side, struct bench *b, enum hop self, enum hop next)
{
	side->bench = b;
	side->role = (struct exchange_role){.agent = "bench",
					    .self = self,
					    .next = next,
					    .ms = {20000, 20000, 20000, 20000},
					    .max_retries = 2,
					    .retry_delay_ms = 1,
					    .open = on_open,
					    .cancel = on_cancel,
					    .on_response = on_response,
					    .on_done = on_done,
					    .owner = side};
	list_init(&side->role.running);
	via_init(&side->via, hop_name(self), self);
}

/* ---- requests ---- */

static void take(struct bench_side *side, uint64_t id, struct leg *leg, struct part *part)
{
	struct exchange *x = exchange_new(side->bench->loop, &side->role, id, leg, part);
	struct error err;
	if (side->bench->reply_at_once) {
		error_set(&err, ERR_DENIED, "answered by the test");
		exchange_refuse(x, &err);
		return;
	}
	hop_clean(part->head, &side->via);
	if (side == &side->bench->enclave && side->bench->receipts) {
		struct target t = {.kind = TARGET_URL, .host = "bench.test", .port = 80, .path = SPAN("/a")};
		exchange_info(x)->witness =
			witness_new(side->bench->loop, side->bench->receipts, part->head, &t);
	}
	exchange_forward(x);
}

static void on_request(void *owner, struct server_conn *c, struct leg *leg, struct part *part)
{
	struct bench *b = owner;
	(void)c;
	take(b->framed ? &b->host : &b->enclave, 7, leg, part);
}

static void on_frame_request(void *owner, struct channel_server *c, uint64_t id, struct leg *leg,
			     struct part *part)
{
	struct bench *b = owner;
	(void)c;
	take(&b->enclave, id, leg, part);
}

static void on_refused(void *owner, struct server_conn *c, const struct error *err)
{
	struct bench *b = owner;
	(void)c;
	b->refused++;
	b->refused_kind = err->kind;
}

static void on_frame_refused(void *owner, struct channel_server *c, const struct error *err)
{
	struct bench *b = owner;
	(void)c;
	b->refused++;
	b->refused_kind = err->kind;
}

static void on_closed(void *owner, struct server_conn *c)
{
	struct bench *b = owner;
	(void)c;
	b->closed++;
}

static void on_channel_closed(void *owner, struct channel_server *c)
{
	(void)owner;
	(void)c;
}

static void on_ping(void *owner)
{
	(void)owner;
}

/* ---- life ---- */

void bench_open(struct bench *b)
{
	CHECK(b->waiting);
	loop_post(b->loop, &b->waiting->task, opened);
	b->waiting = NULL;
}

void bench_start(struct bench *b, size_t capacity, bool framed)
{
	*b = (struct bench){.loop = loop_new(), .capacity = capacity, .piece = capacity, .framed = framed};
	b->conns = (struct server_conn_config){.limits = {16384, 100, 8192},
					       .header_ms = 20000,
					       .idle_ms = 20000,
					       .agent = "bench",
					       .on_request = on_request,
					       .on_refused = on_refused,
					       .on_closed = on_closed,
					       .owner = b};
	b->channels = (struct channel_server_config){.limits = PARSE_LIMITS_MAX,
						     .on_request = on_frame_request,
						     .on_refused = on_frame_refused,
						     .on_ping = on_ping,
						     .on_closed = on_channel_closed,
						     .owner = b};
	list_init(&b->conns.conns);
	list_init(&b->channels.conns);
	side_init(&b->host, b, HOP_HOST, HOP_ENCLAVE);
	side_init(&b->enclave, b, HOP_ENCLAVE, HOP_SERVICE);
}

void bench_everywhere(void (*test)(struct bench *b), struct witness_key *receipts)
{
	static const size_t capacities[] = {1, 7, 4096};
	for (size_t i = 0; i < 3 * countof(capacities); i++) {
		struct bench b;
		bench_start(&b, capacities[i / 3], i % 3);
		b.hybrid = i % 3 == 2;
		b.receipts = receipts;
		test(&b);
		bench_end(&b);
	}
}

struct bench_side *bench_leaf(struct bench *b)
{
	return &b->enclave;
}

struct wire *bench_service(struct bench *b, unsigned n, const char *text)
{
	UNTIL(b->loop, b->services > n && wire_heard(&b->service[n], text));
	return &b->service[n];
}

void bench_settle(struct bench *b)
{
	for (int i = 0; i < 20; i++)
		loop_step(b->loop, 0);
}

void bench_client(struct bench *b, struct wire *client)
{
	struct stream *near, *far;
	mem_pair(b->loop, b->capacity, &near, &far);
	wire_start(client, far, b->piece);
	server_conn_start(near, &b->conns);
}

void bench_end(struct bench *b)
{
	exchange_abandon_all(&b->host.role);
	exchange_abandon_all(&b->enclave.role);
	server_conn_close_all(&b->conns);
	if (b->host.channel)
		on_channel_dead(&b->host, b->host.channel);
	channel_server_close_all(&b->channels);
	if (b->enclave.idle)
		on_dead(&b->enclave, b->enclave.idle);
	for (unsigned i = 0; i < b->services; i++)
		wire_free(&b->service[i]);
	CHECK(b->host.open == 0 && b->enclave.open == 0);
	CHECK(b->conns.count == 0 && b->channels.count == 0);
	CHECK(loop_blocks(b->loop)->used == 0);
	loop_free(b->loop); /* which checks for tasks, timers and watches */
}

#include "proxy/exchange.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "http/reply.h"
#include "net/relay.h"
#include "proxy/backoff.h"

#define TEXT_MAX    65536
#define INTERIM_MAX 100 /* 1xx responses to one request; each gives the service its time anew */

/*
 * One direction: a part is either being read or being sent, never both. But when a request is repeated, the
 * read behind its first part goes on meanwhile; what that brings is held until the first part has gone.
 */
struct pump {
	struct exchange *x;
	struct leg *from, *to;
	struct part part;
	struct block *data; /* owned; part.data */
	bool reading, sending;
	bool held; /* part has been read and waits */
	bool done; /* the end was sent */
};

enum state { NEW, OPENING, WAITING, FORWARDING, REPLYING };

struct own_reply {
	struct reply problem; /* what head points into, for an error */
	struct head head;
	struct block *body; /* owned; NULL: none */
};

struct exchange {
	struct loop *loop;
	const struct exchange_role *role;
	struct exchange_info info;
	enum state state;
	struct leg *in, *out;
	struct pump up, down;
	struct part first;	  /* of the request: kept until it cannot be needed again */
	struct block *first_data; /* owned; lent while the first part is being sent */
	bool first_sending;
	bool more_sent;	     /* the first part is not all that was sent */
	bool answered;	     /* a final head was passed on to the client */
	bool begun;	     /* any head was: a 1xx too */
	unsigned interim;    /* 1xx responses so far */
	bool raw;	     /* behind a 101 or a CONNECT's 2xx */
	bool joining;	     /* likewise, and a relay takes over as soon as nothing is being sent any more */
	struct relay *relay; /* owns both legs' streams; NULL: none */
	unsigned open_failures;
	bool repeated; /* on a fresh connection, since the pooled one was stale */
	void *opening;
	struct timer timer; /* of the stage; or until the next attempt */
	struct buf text;
	struct own_reply *reply; /* owned: our own answer while it is being sent */
	struct list running;	 /* in role->running */
};

uint64_t monotonic_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

struct exchange_info *exchange_info(struct exchange *x)
{
	return &x->info;
}

struct buf *exchange_text(struct exchange *x)
{
	return &x->text;
}

static void on_part(void *arg, struct part *part, const struct error *err);
static void on_stall(struct timer *t);

/* ---- the end ---- */

static void drop_first(struct exchange *x)
{
	block_put(x->first_data);
	x->first_data = NULL;
	x->first.data = NULL;
}

static void release(struct exchange *x)
{
	timer_stop(x->loop, &x->timer);
	if (x->opening)
		x->role->cancel(x->role->owner, x->opening);
	if (x->relay)
		relay_cancel(x->relay);
	if (x->reply)
		block_put(x->reply->body);
	free(x->reply);
	list_remove(&x->running);
	target_free(&x->info.target);
	free(x->info.trace);
	block_put(x->up.data);
	block_put(x->down.data);
	drop_first(x);
	buf_free(&x->text);
	free(x);
}

static void close_out(struct exchange *x, const struct error *why)
{
	struct leg *out = x->out;
	x->out = NULL;
	if (out)
		leg_close(out, why);
}

/* why: the client's leg is cut. */
static void finish(struct exchange *x, const struct error *why)
{
	struct leg *in = x->in;
	timer_stop(x->loop, &x->timer);
	close_out(x, why);
	x->role->on_done(x->role->owner, x);
	x->info.request = NULL;
	leg_close(in, why); /* what is lent to it comes back */
	release(x);
}

static void count_relayed(struct exchange *x)
{
	uint64_t up, down;
	if (!x->relay)
		return;
	relay_bytes(x->relay, &up, &down);
	x->info.bytes_up += up;
	x->info.bytes_down += down;
}

void exchange_abandon_all(struct exchange_role *role)
{
	struct error gone;
	error_set_hop(&gone, ERR_CANCELLED, role->self, "the proxy is stopping");
	LIST_EACH (it, &role->running) {
		struct exchange *x = container_of(it, struct exchange, running);
		x->info.failed = true;
		x->info.err = gone;
		count_relayed(x);
		close_out(x, &gone);
		role->on_done(role->owner, x);
		release(x);
	}
}

/* ---- our own answers ---- */

static void on_replied(void *arg, const struct error *err)
{
	struct exchange *x = arg;
	finish(x, err);
}

static void send_reply(struct exchange *x, const struct head *head, struct span body)
{
	struct own_reply *r = x->reply;
	if (head != &r->head)
		r->head = *head;
	if (body.n && !head_method_is(x->info.request, "HEAD")) {
		CHECK(body.n <= BLOCK_SIZE);
		r->body = block_get(loop_blocks(x->loop));
		memcpy(r->body->data, body.p, body.n);
		r->body->len = body.n;
	} else {
		r->head.framing = BODY_NONE;
	}
	struct part part = {.head = &r->head, .data = r->body, .end = true};
	x->state = REPLYING;
	x->info.status = r->head.status;
	x->info.answered_us = monotonic_us();
	x->info.bytes_down = r->body ? r->body->len : 0;
	timer_start(x->loop, &x->timer, x->role->ms.response_stall, on_stall);
	leg_send(x->in, &part, on_replied, x);
}

void exchange_reply(struct exchange *x, struct head *head, struct span body)
{
	x->reply = mem_zero(sizeof *x->reply);
	send_reply(x, head, body);
}

void exchange_refuse(struct exchange *x, const struct error *why)
{
	struct error err = *why; /* may stand in x */
	if (err.hop == HOP_NONE)
		err.hop = x->role->self;
	x->info.failed = true;
	x->info.err = err;
	x->reply = mem_zero(sizeof *x->reply);
	struct reply_options options = {.agent = x->role->agent, .retry_after = x->info.retry_after};
	reply_init(&x->reply->problem, &err, &options);
	if (err.kind == ERR_AUTH && x->role->challenge)
		head_add(&x->reply->problem.head, SPAN("Proxy-Authenticate"), span_of(x->role->challenge));
	send_reply(x, &x->reply->problem.head, x->reply->problem.body);
}

/* ---- retries ---- */

static void open_leg(struct exchange *x, bool fresh);

/*
 * A pooled connection that dies before the first byte of an answer was probably closed by the
 * other side while it was idle. Repeating is right if that can do no harm: the method is
 * idempotent, or the service cannot have the whole request (RFC 9110 section 9.2.2).
 */
static bool may_repeat(const struct exchange *x)
{
	bool whole = x->first.end || x->more_sent;
	return x->info.reused && !x->repeated && !x->begun && !x->more_sent &&
	       (head_method_idempotent(x->info.request) || (!whole && !x->first.data));
}

static void broken(struct exchange *x, const struct error *why, enum hop hop)
{
	struct error err = *why;
	if (err.hop == HOP_NONE)
		err.hop = hop;
	timer_stop(x->loop, &x->timer);
	if (x->opening)
		x->role->cancel(x->role->owner, x->opening);
	x->opening = NULL;
	bool client_gone = hop == HOP_CLIENT && err.kind != ERR_CLIENT_TIMEOUT &&
			   err.kind != ERR_BAD_REQUEST && err.kind != ERR_BODY_SIZE;
	bool stale = hop != HOP_CLIENT &&
		     (err.kind == ERR_RESET || err.kind == ERR_IO || err.kind == ERR_TRUNCATED);
	if (stale && may_repeat(x)) {
		x->repeated = true;
		close_out(x, &err);
		x->first_sending = x->up.sending = x->up.done = false; /* the read from the client goes on */
		open_leg(x, true);
		return;
	}
	close_out(x, &err);
	drop_first(x);
	x->info.failed = true;
	x->info.err = err;
	if (x->answered || client_gone || x->down.sending)
		finish(x, &err);
	else
		exchange_refuse(x, &err);
}

/* ---- stages and their timeouts ---- */

static void on_stall(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	struct error err;
	if (x->state == REPLYING) {
		error_set_hop(&err, ERR_WRITE_TIMEOUT, HOP_CLIENT, "the client does not read the response");
		finish(x, &err);
	} else if (x->raw) {
		error_set(&err, ERR_TIMEOUT, "no byte in either direction for %llu ms",
			  (unsigned long long)x->role->ms.tunnel_idle);
		broken(x, &err, x->role->self);
	} else if (x->answered && x->down.sending) {
		error_set(&err, ERR_WRITE_TIMEOUT, "the client does not read the response");
		broken(x, &err, HOP_CLIENT);
	} else if (x->answered) {
		error_set(&err, ERR_TIMEOUT, "the response stopped in the middle");
		broken(x, &err, x->role->next);
	} else if (x->up.done) {
		error_set(&err, ERR_RESPONSE_TIMEOUT, "no response within %llu ms",
			  (unsigned long long)x->role->ms.response_header);
		broken(x, &err, x->role->next);
	} else if (x->up.sending) {
		error_set(&err, ERR_WRITE_TIMEOUT, "the request's body is not taken");
		broken(x, &err, x->role->next);
	} else {
		error_set(&err, ERR_CLIENT_TIMEOUT, "the request's body stopped in the middle");
		broken(x, &err, HOP_CLIENT);
	}
}

/* Something has moved: the stage that now begins, or goes on, has its whole time. */
static void progress(struct exchange *x)
{
	uint64_t ms = x->raw	    ? x->role->ms.tunnel_idle
		      : x->answered ? x->role->ms.response_stall
		      : x->up.done  ? x->role->ms.response_header
				    : x->role->ms.body_stall;
	timer_start(x->loop, &x->timer, ms, on_stall);
}

/* ---- the two directions ---- */

static void read_on(struct pump *p)
{
	p->reading = true;
	leg_read(p->from, on_part, p);
}

static bool all_done(const struct exchange *x)
{
	return x->down.done && (x->up.done || !x->raw);
}

/*
 * The other side takes no more of the request. It may have answered before it stopped (a 413, say), and the
 * answer be there already: what the read brings decides.
 */
static void upload_failed(struct exchange *x, const struct error *err)
{
	bool gone = err->kind == ERR_RESET || err->kind == ERR_IO;
	if (!gone || x->raw) {
		broken(x, err, x->role->next);
		return;
	}
	x->up.done = true;
	progress(x);
}

static void on_relayed(void *arg, const struct relay_result *result)
{
	struct exchange *x = arg;
	x->relay = NULL;
	x->info.bytes_up += result->a_to_b;
	x->info.bytes_down += result->b_to_a;
	if (!result->err)
		finish(x, NULL);
	else
		broken(x, result->err,
		       result->side == RELAY_A	 ? HOP_CLIENT
		       : result->side == RELAY_B ? x->role->next
						 : x->role->self);
}

/* What was read ahead goes back into its stream; that a direction has ended, the stream says again. */
static void join(struct exchange *x)
{
	if (x->first_sending || x->up.sending || x->down.sending)
		return;
	struct relay_options options = {.idle_ms = x->role->ms.tunnel_idle, .pipes = x->role->pipes};
	struct stream *client = leg_detach(x->in), *service = leg_detach(x->out);
	if (x->up.data)
		stream_unread(client, x->up.data);
	x->up.data = NULL;
	drop_first(x);
	timer_stop(x->loop, &x->timer);
	x->joining = false;
	x->relay = relay_start(client, service, &options, on_relayed, x);
}

static void on_sent(void *arg, const struct error *err)
{
	struct pump *p = arg;
	struct exchange *x = p->x;
	p->sending = false;
	block_put(p->data);
	p->data = NULL;
	if (err && p == &x->up) {
		upload_failed(x, err);
		return;
	}
	if (err) {
		broken(x, err, HOP_CLIENT);
		return;
	}
	if (p->part.end)
		p->done = true;
	if (all_done(x)) {
		finish(x, NULL);
		return;
	}
	if (x->joining) {
		join(x);
		return;
	}
	progress(x);
	/* Behind its end the request's direction still waits: for raw bytes, or for the client to go. */
	if (!p->reading && (!p->done || (p == &x->up && !x->raw)))
		read_on(p);
}

static void send_on(struct pump *p)
{
	p->sending = true;
	leg_send(p->to, &p->part, on_sent, p);
}

static void send_up(struct exchange *x)
{
	x->more_sent = true;
	drop_first(x);
	x->info.bytes_up += x->up.data ? x->up.data->len : 0;
	send_on(&x->up);
}

static void on_first_sent(void *arg, const struct error *err)
{
	struct exchange *x = arg;
	struct pump *p = &x->up;
	p->sending = x->first_sending = false;
	if (!may_repeat(x))
		drop_first(x);
	if (err) {
		upload_failed(x, err);
		return;
	}
	p->done = x->first.end && !x->raw;
	if (x->joining) {
		join(x);
		return;
	}
	progress(x);
	if (p->held) {
		p->held = false;
		send_up(x);
	} else if (!p->reading) {
		read_on(p);
	}
}

static void send_first(struct exchange *x)
{
	x->up.sending = x->first_sending = true;
	leg_send(x->up.to, &x->first, on_first_sent, x);
}

/* False: the response cannot be passed on, and the exchange is broken. */
static bool response_head(struct exchange *x, struct head *h)
{
	struct error err;
	bool interim = h->status < 200 && h->status != 101;
	if (x->role->on_response && !x->role->on_response(x->role->owner, x, h, &err)) {
		broken(x, &err, x->role->next);
		return false;
	}
	x->begun = true;
	if (interim && ++x->interim > INTERIM_MAX) {
		error_set(&err, ERR_BAD_RESPONSE, "more than %d interim responses", INTERIM_MAX);
		broken(x, &err, x->role->next);
		return false;
	}
	if (interim)
		return true;
	x->answered = true;
	h->keep_alive = true; /* what becomes of the service's connection is not the client's business */
	x->info.status = h->status;
	x->info.answered_us = monotonic_us();
	x->raw = h->framing == BODY_RAW;
	if (x->raw)
		x->up.done = false;
	return true;
}

static void on_part(void *arg, struct part *part, const struct error *err)
{
	struct pump *p = arg;
	struct exchange *x = p->x;
	bool up = p == &x->up;
	p->reading = false;
	if (x->state == REPLYING) { /* our own answer is on its way: the client is heard no more */
		block_put(part ? part->data : NULL);
		return;
	}
	if (!part) {
		broken(x, err, up ? HOP_CLIENT : x->role->next);
		return;
	}
	p->part = *part;
	p->data = part->data;
	if (up) {
		p->held = x->state != FORWARDING || p->sending || x->joining;
		if (p->held)
			return;
		progress(x);
		send_up(x);
		return;
	}
	x->info.bytes_down += p->data ? p->data->len : 0;
	if (part->head && !response_head(x, part->head))
		return;
	if (x->answered && !x->first_sending)
		drop_first(x);
	progress(x);
	send_on(p);
	/* Only behind a request that came whole: then all that is read from the client is raw. */
	if (part->head && x->raw && x->first.end)
		x->joining = leg_bare(x->in) && leg_bare(x->out);
}

/* ---- opening ---- */

static void on_wait_over(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	open_leg(x, x->repeated);
}

static void open_failed(struct exchange *x, const struct error *err)
{
	if (!error_is_unreachable(err->kind) || x->open_failures >= x->role->max_retries) {
		struct error why = *err;
		if (why.hop == HOP_NONE)
			why.hop = x->role->next;
		exchange_refuse(x, &why);
		return;
	}
	x->state = WAITING;
	timer_start(x->loop, &x->timer, backoff_delay(x->role->retry_delay_ms, x->open_failures++),
		    on_wait_over);
}

static void on_open(void *arg, struct leg *leg, bool reused, const struct error *err)
{
	struct exchange *x = arg;
	x->opening = NULL;
	if (err) {
		open_failed(x, err);
		return;
	}
	x->state = FORWARDING;
	x->out = leg;
	x->info.reused = reused;
	if (!x->info.opened_us)
		x->info.opened_us = monotonic_us();
	x->up.to = leg;
	x->down = (struct pump){.x = x, .from = leg, .to = x->in};
	progress(x);
	send_first(x);
	read_on(&x->down);
}

static void open_leg(struct exchange *x, bool fresh)
{
	x->state = OPENING;
	x->info.attempts++;
	x->opening = x->role->open(x->role->owner, x, fresh, on_open, x);
}

void exchange_forward(struct exchange *x)
{
	open_leg(x, false);
}

/* ---- life ---- */

static void keep_method(struct exchange_info *info, struct span method)
{
	size_t n = method.n < sizeof info->method - 1 ? method.n : sizeof info->method - 1;
	for (size_t i = 0; i < n; i++)
		info->method[i] = (char)(method.p[i] > ' ' && method.p[i] < 127 ? method.p[i] : '?');
}

struct exchange *exchange_new(struct loop *l, struct exchange_role *role, uint64_t id, struct leg *leg,
			      const struct part *part)
{
	struct exchange *x = mem_zero(sizeof *x);
	x->loop = l;
	x->role = role;
	x->in = leg;
	x->first = *part;
	x->first_data = part->data;
	x->up = (struct pump){.x = x, .from = leg};
	x->info.id = id;
	x->info.request = part->head;
	x->info.bytes_up = part->data ? part->data->len : 0;
	x->info.started_us = monotonic_us();
	keep_method(&x->info, part->head->method);
	buf_init(&x->text, TEXT_MAX);
	list_append(&role->running, &x->running);
	return x;
}

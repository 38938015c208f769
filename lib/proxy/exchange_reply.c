#include "base/mem.h"
#include "proxy/exchange_impl.h"

static void on_replied(void *arg, const struct error *err)
{
	struct exchange *x = arg;
	exchange_finish(x, err);
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
	exchange_await(x, x->role->ms.response_stall);
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
	send_reply(x, &x->reply->problem.head, x->reply->problem.body);
}

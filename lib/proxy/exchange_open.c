#include "proxy/backoff.h"
#include "proxy/exchange_impl.h"

/* ---- opening ---- */

static void on_wait_over(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	exchange_open_leg(x, x->repeated);
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
	exchange_pump(x);
}

void exchange_open_leg(struct exchange *x, bool fresh)
{
	x->state = OPENING;
	x->info.attempts++;
	x->opening = x->role->open(x->role->owner, x, fresh, on_open, x);
}

void exchange_forward(struct exchange *x)
{
	if (x->info.witness)
		exchange_witness_up(x, x->first_data);
	exchange_open_leg(x, false);
}

/* ---- broken ---- */

/*
 * A pooled connection that dies before the first byte of an answer was probably closed by the
 * other side while it was idle. Repeating is right if that can do no harm: the method is
 * idempotent, or the service cannot have the whole request (RFC 9110 section 9.2.2).
 */
bool exchange_may_repeat(const struct exchange *x)
{
	bool whole = x->first.end || x->more_sent;
	return x->info.reused && !x->repeated && !x->begun && !x->more_sent &&
	       (head_method_idempotent(x->info.request) || (!whole && !x->info.bytes_up));
}

void exchange_broken(struct exchange *x, const struct error *why, enum hop hop)
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
	if (stale && exchange_may_repeat(x)) {
		x->repeated = true;
		exchange_close_out(x, &err);
		x->first_sending = x->up.sending = x->up.done = false; /* the read from the client goes on */
		exchange_open_leg(x, true);
		return;
	}
	exchange_close_out(x, &err);
	exchange_drop_first(x);
	x->info.failed = true;
	x->info.err = err;
	if (x->answered || client_gone || x->down.sending)
		exchange_finish(x, &err);
	else
		exchange_refuse(x, &err);
}

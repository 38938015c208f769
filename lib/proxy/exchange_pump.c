#include "proxy/exchange_impl.h"

#define INTERIM_MAX 100 /* 1xx responses to one request; each gives the service its time anew */

static void on_part(void *arg, struct part *part, const struct error *err);

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
		exchange_broken(x, err, x->role->next);
		return;
	}
	x->up.done = x->upload_lost = true;
	exchange_progress(x);
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
		exchange_broken(x, err, HOP_CLIENT);
		return;
	}
	if (p->part.end)
		p->done = true;
	if (all_done(x)) {
		exchange_finish(x, NULL);
		return;
	}
	if (x->joining) {
		exchange_join(x);
		return;
	}
	exchange_progress(x);
	/* Behind its end the request's direction still waits: for raw bytes, or for the client to go. */
	if (!p->reading && (!p->done || (p == &x->up && !x->raw)))
		read_on(p);
}

void exchange_send_on(struct pump *p)
{
	p->sending = true;
	leg_send(p->to, &p->part, on_sent, p);
}

static void send_up(struct exchange *x)
{
	x->more_sent = true;
	exchange_drop_first(x);
	x->info.bytes_up += x->up.data ? x->up.data->len : 0;
	if (x->info.witness)
		exchange_witness_up(x, x->up.data);
	exchange_send_on(&x->up);
}

static void on_first_sent(void *arg, const struct error *err)
{
	struct exchange *x = arg;
	struct pump *p = &x->up;
	p->sending = x->first_sending = false;
	if (!exchange_may_repeat(x))
		exchange_drop_first(x);
	if (err) {
		upload_failed(x, err);
		return;
	}
	p->done = x->first.end && !x->raw;
	if (x->joining) {
		exchange_join(x);
		return;
	}
	exchange_progress(x);
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
		exchange_broken(x, &err, x->role->next);
		return false;
	}
	x->begun = true;
	if (interim && ++x->interim > INTERIM_MAX) {
		error_set(&err, ERR_BAD_RESPONSE, "more than %d interim responses", INTERIM_MAX);
		exchange_broken(x, &err, x->role->next);
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
	else if (x->info.witness)
		witness_head(x->info.witness, h);
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
		exchange_broken(x, err, up ? HOP_CLIENT : x->role->next);
		return;
	}
	p->part = *part;
	p->data = part->data;
	if (up) {
		p->held = x->state != FORWARDING || p->sending || x->joining;
		if (p->held)
			return;
		exchange_progress(x);
		send_up(x);
		return;
	}
	x->info.bytes_down += p->data ? p->data->len : 0;
	if (part->head && !response_head(x, part->head))
		return;
	if (x->answered && !x->first_sending)
		exchange_drop_first(x);
	exchange_progress(x);
	if (x->info.witness && exchange_witness_down(x))
		return;
	exchange_send_on(p);
	/* Only behind a request that came whole: then all that is read from the client is raw. */
	if (part->head && x->raw && x->first.end)
		x->joining = leg_bare(x->in) && leg_bare(x->out);
}

void exchange_pump(struct exchange *x)
{
	x->up.to = x->out;
	x->down = (struct pump){.x = x, .from = x->out, .to = x->in};
	exchange_progress(x);
	send_first(x);
	read_on(&x->down);
}

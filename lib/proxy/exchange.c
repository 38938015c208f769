#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "proxy/exchange_impl.h"

#define TEXT_MAX 65536

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

/* ---- the end ---- */

void exchange_drop_first(struct exchange *x)
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
	witness_free(x->info.witness);
	block_put(x->up.data);
	block_put(x->down.data);
	exchange_drop_first(x);
	buf_free(&x->text);
	free(x);
}

void exchange_close_out(struct exchange *x, const struct error *why)
{
	struct leg *out = x->out;
	x->out = NULL;
	if (out)
		leg_close(out, why);
}

/* why: the client's leg is cut. */
void exchange_finish(struct exchange *x, const struct error *why)
{
	struct leg *in = x->in;
	timer_stop(x->loop, &x->timer);
	exchange_close_out(x, why);
	x->role->on_done(x->role->owner, x);
	x->info.request = NULL;
	leg_close(in, why); /* what is lent to it comes back */
	release(x);
}

void exchange_abandon_all(struct exchange_role *role)
{
	struct error gone;
	error_set_hop(&gone, ERR_CANCELLED, role->self, "the proxy is stopping");
	LIST_EACH (it, &role->running) {
		struct exchange *x = container_of(it, struct exchange, running);
		x->info.failed = true;
		x->info.err = gone;
		exchange_count_relayed(x);
		exchange_close_out(x, &gone);
		role->on_done(role->owner, x);
		release(x);
	}
}

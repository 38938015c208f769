#include "proxy/exchange_impl.h"

static void on_relayed(void *arg, const struct relay_result *result)
{
	struct exchange *x = arg;
	x->relay = NULL;
	x->info.bytes_up += result->a_to_b;
	x->info.bytes_down += result->b_to_a;
	if (!result->err)
		exchange_finish(x, NULL);
	else
		exchange_broken(x, result->err,
				result->side == RELAY_A	  ? HOP_CLIENT
				: result->side == RELAY_B ? x->role->next
							  : x->role->self);
}

/* What was read ahead goes back into its stream; that a direction has ended, the stream says again. */
void exchange_join(struct exchange *x)
{
	if (x->first_sending || x->up.sending || x->down.sending)
		return;
	struct relay_options options = {.idle_ms = x->role->ms.tunnel_idle, .pipes = x->role->pipes};
	struct stream *client = leg_detach(x->in), *service = leg_detach(x->out);
	if (x->up.data)
		stream_unread(client, x->up.data);
	x->up.data = NULL;
	exchange_drop_first(x);
	timer_stop(x->loop, &x->timer);
	x->joining = false;
	x->relay = relay_start(client, service, &options, on_relayed, x);
}

void exchange_count_relayed(struct exchange *x)
{
	uint64_t up, down;
	if (!x->relay)
		return;
	relay_bytes(x->relay, &up, &down);
	x->info.bytes_up += up;
	x->info.bytes_down += down;
}

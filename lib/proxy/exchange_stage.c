#include "proxy/exchange_impl.h"
#include "proxy/settings.h"

struct exchange_ms exchange_ms(const struct settings *s)
{
	return (struct exchange_ms){.body_stall = s->timeouts.body_stall,
				    .response_header = s->timeouts.response_header,
				    .response_stall = s->timeouts.response_stall,
				    .tunnel_idle = s->timeouts.tunnel_idle};
}

static void on_stall(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	struct error err;
	if (x->state == REPLYING) {
		error_set_hop(&err, ERR_WRITE_TIMEOUT, HOP_CLIENT, "the client does not read the response");
		exchange_finish(x, &err);
	} else if (x->raw) {
		error_set(&err, ERR_TIMEOUT, "no byte in either direction for %llu ms",
			  (unsigned long long)x->role->ms.tunnel_idle);
		exchange_broken(x, &err, x->role->self);
	} else if (x->answered && x->down.sending) {
		error_set(&err, ERR_WRITE_TIMEOUT, "the client does not read the response");
		exchange_broken(x, &err, HOP_CLIENT);
	} else if (x->answered) {
		error_set(&err, ERR_TIMEOUT, "the response stopped in the middle");
		exchange_broken(x, &err, x->role->next);
	} else if (x->up.done) {
		error_set(&err, ERR_RESPONSE_TIMEOUT, "no response within %llu ms",
			  (unsigned long long)x->role->ms.response_header);
		exchange_broken(x, &err, x->role->next);
	} else if (x->up.sending) {
		error_set(&err, ERR_WRITE_TIMEOUT, "the request's body is not taken");
		exchange_broken(x, &err, x->role->next);
	} else {
		error_set(&err, ERR_CLIENT_TIMEOUT, "the request's body stopped in the middle");
		exchange_broken(x, &err, HOP_CLIENT);
	}
}

void exchange_await(struct exchange *x, uint64_t ms)
{
	timer_start(x->loop, &x->timer, ms, on_stall);
}

void exchange_progress(struct exchange *x)
{
	uint64_t ms = x->raw	    ? x->role->ms.tunnel_idle
		      : x->answered ? x->role->ms.response_stall
		      : x->up.done  ? x->role->ms.response_header
				    : x->role->ms.body_stall;
	exchange_await(x, ms);
}

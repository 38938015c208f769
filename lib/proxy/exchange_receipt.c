#include "proxy/exchange_impl.h"

void exchange_witness_up(struct exchange *x, const struct block *data)
{
	if (data)
		witness_request(x->info.witness, block_span(data));
}

static void on_receipt(void *arg)
{
	struct exchange *x = arg;
	exchange_progress(x);
	exchange_send_on(&x->down);
}

bool exchange_witness_down(struct exchange *x)
{
	struct witness *w = x->info.witness;
	if (x->raw)
		return false;
	if (x->down.data)
		witness_response(w, block_span(x->down.data));
	if (!witness_due(w, &x->down.part))
		return false;
	witness_sign(w, &x->down.part, x->up.done && !x->upload_lost, on_receipt, x);
	return true;
}

/* Dials, says that this is to be a trunk or a lane (proxy/trunk_message.h), and waits for the answer. */
#ifndef PROXY_TRUNK_HELLO_H
#define PROXY_TRUNK_HELLO_H

#include "net/address.h"
#include "net/stream.h"
#include "proxy/trunk_message.h"

struct trunk_hello_op;

/* s: the callee's, with nothing read behind the answer, which was that offer. s NULL: refused is a plain no. */
typedef void trunk_hello_fn(void *arg, struct stream *s, const struct trunk_offer *offer, bool refused,
			    const struct error *err);

/* Exactly one callback, from the loop, within twice ms; none after cancel. */
struct trunk_hello_op *trunk_hello_start(struct loop *l, const struct address *to, enum trunk_wire wire,
					 const struct trunk_hello *hello, uint64_t ms, trunk_hello_fn *fn,
					 void *arg);
void trunk_hello_cancel(struct trunk_hello_op *o);

#endif

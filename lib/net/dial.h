/* From an address to a stream. */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "net/address.h"
#include "net/stream.h"

struct dial;

/* s is the callee's when err is NULL. */
typedef void dial_fn(void *arg, struct stream *s, const struct error *err);

/* Exactly one callback, from the loop, within timeout_ms; none after dial_cancel. */
struct dial *dial_start(struct loop *l, const struct address *to, uint64_t timeout_ms, dial_fn *fn,
			void *arg);
void dial_cancel(struct dial *d);

#endif

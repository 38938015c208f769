/* Happy Eyeballs (RFC 8305 section 5): all addresses of a name, staggered, the first that answers wins. */
#ifndef NET_RACE_H
#define NET_RACE_H

#include "net/connect.h"
#include "net/resolve.h"

#define RACE_STAGGER_MS 250

struct race;

/*
 * Families alternate, the first address's family first; each attempt gets RACE_STAGGER_MS
 * before the next one starts beside it, and a failed one starts the next at once. Exactly one
 * callback, from the loop: the winner, or the first failure when all have failed. There is no
 * limit on the whole: who started it has the timer. name is the stream's, borrowed until then.
 */
struct race *race_start(struct loop *l, const struct sockaddr_any *to, size_t count, const char *name,
			connect_fn *fn, void *arg);
void race_cancel(struct race *r);

#endif

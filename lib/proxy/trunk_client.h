/*
 * A trunk to one address, kept up: instead of a connection for each exchange a strand of one that is there
 * (net/bundle.h). It is dialled at once and again whenever it has gone; whoever asks while it is not up, or when the other
 * side wants none, dials by himself as if there were none: nobody waits for a trunk.
 *
 * To a role with more workers than ours there are several, as many as make one for each of them: a strand is opened where
 * the fewest are.
 */
#ifndef PROXY_TRUNK_CLIENT_H
#define PROXY_TRUNK_CLIENT_H

#include "net/address.h"
#include "net/stream.h"
#include "proxy/figures.h"
#include "proxy/trunk_message.h"

struct trunk_client;

struct trunk_client_config {
	struct address to;
	enum trunk_wire wire;
	uint64_t connect_ms;
	unsigned workers;	   /* of our own role, who do the same; 1 and up */
	struct trunk_stats *stats; /* borrowed */
};

struct trunk_client *trunk_client_new(struct loop *l, const struct trunk_client_config *config);
/* Strands that are left fail. NULL is fine. */
void trunk_client_free(struct trunk_client *t);

/* NULL: dial. t NULL: likewise. */
struct stream *trunk_client_open(struct trunk_client *t);
/*
 * For pools: s is not worth keeping. It goes over a trunk that is on its way out, which would have to stay for it; or it
 * was dialled while there was no trunk, and its successor would be a strand: an application that is busy from its first
 * second would otherwise stay with such connections for ever.
 */
bool trunk_client_outdates(struct trunk_client *t, const struct stream *s);
/* Something on s has gone unanswered for long: no new strands on that trunk, if it is a strand. */
void trunk_client_doubt(struct trunk_client *t, const struct stream *s);
void trunk_metrics(const struct trunk_stats *s, const char *role, struct buf *out);

#endif

/*
 * The other end of trunks (proxy/trunk_client.h): those who have dialled us and said so. A strand is a connection
 * like any other and counts as one: each new trunk is promised half of the room there is left, so that it may always
 * open what it was promised, and there is always something left for who comes without one.
 *
 * A trunk has all its strands in the worker that has accepted it. Who dials is told how many workers there are, and makes
 * as many trunks. A lane that another worker has accepted is handed from one to the next until it is where its trunk is.
 */
#ifndef PROXY_TRUNK_SERVER_H
#define PROXY_TRUNK_SERVER_H

#include "net/stream.h"
#include "proxy/crew.h"
#include "proxy/trunk_message.h"

struct trunk_server;

struct trunk_server_config {
	struct crew *crew; /* borrowed */
	enum trunk_wire wire;
	unsigned (*room)(
		void *owner); /* connections, not promised either, that the limit leaves. NULL: no trunks */
	uint64_t answer_ms;   /* how long an answer may take to be taken */
	void (*on_strand)(void *owner, struct stream *s);
	void (*on_promise)(void *owner); /* more or fewer connections are promised than before */
	void *owner;
};

struct trunk_server *trunk_server_new(struct loop *l, const struct trunk_server_config *config);
/* Strands that are left fail. NULL is fine. */
void trunk_server_free(struct trunk_server *t);

/* Somebody has said this on s, which is taken; answers, and from there on s is a trunk or a lane, or closed. */
void trunk_server_take(struct trunk_server *t, struct stream *s, const struct trunk_hello *hello);
/* No new trunks and no new strands. */
void trunk_server_drain(struct trunk_server *t);
/* After a drain: strands are open, or what was said on them has not been read yet: on_gone follows. */
bool trunk_server_busy(const struct trunk_server *t);
/* Connections that are promised to trunks and not open. */
unsigned trunk_server_promised(const struct trunk_server *t);

#endif

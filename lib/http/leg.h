/*
 * An exchange is one request and its answer. It has two legs: one towards who asks,
 * one towards who answers. From the leg towards the client the request is read and
 * the response is sent into it; from the leg towards the service it is the other way
 * round. An HTTP/1.1 connection (server_conn, client_conn) and a framed connection
 * between host and enclave (channel) all give legs, so the code that carries an
 * exchange (proxy/forward) is written once for every mode.
 *
 * A message goes by in parts, in this order:
 *
 *	head [data]* [head [data]*]* end        a head more than once only behind 1xx
 *
 * and what comes together may stand in one part: a small message is a single part
 * with head, data and end, and costs one read and one write. After a 101, or a 2xx to
 * CONNECT, data are raw bytes and end is the end of one direction.
 *
 *  - One read and one send may be pending on a leg; callbacks come from the loop.
 *  - A read behind the end of a message waits: for raw bytes, once a 101 or a CONNECT's 2xx
 *    has gone by, or for an error, which tells that the other side has gone away.
 *  - What is sent is lent until the callback; what is read: see struct part.
 *  - An error is final for its direction.
 *  - A leg whose raw bytes are those of a stream as they are may give that stream away: see detach.
 */
#ifndef HTTP_LEG_H
#define HTTP_LEG_H

#include "base/block.h"
#include "base/error.h"
#include "base/loop.h"
#include "http/head.h"
#include "net/stream.h"

struct part {
	struct head *head;  /* NULL: none. Read: valid until the leg is closed or gives another head */
	struct block *data; /* NULL: none. Read: the reader's to block_put. Send: lent */
	bool end;	    /* the message is complete */
	const struct head *trailers; /* with end, or NULL: only its fields count. Valid as head */
};

typedef void leg_read_fn(void *arg, struct part *part, const struct error *err);
typedef void leg_send_fn(void *arg, const struct error *err);

struct leg;
struct leg_ops {
	void (*read)(struct leg *leg, leg_read_fn *fn, void *arg);
	void (*send)(struct leg *leg, const struct part *part, leg_send_fn *fn, void *arg);
	/*
	 * The exchange is over on this leg and no callback will come. The leg's owner decides
	 * from what has gone by whether the connection can carry another exchange: only if
	 * both messages were complete. Otherwise it is cut, so that the other side can tell a
	 * message that broke off from one that ended. why: NULL, or what broke it (a framed
	 * leg passes it on to the other side as an ERROR frame if it still can).
	 */
	void (*close)(struct leg *leg, const struct error *why);
	/*
	 * Behind a switch to raw: nothing but a stream's own bytes and ends is left in both directions. Then
	 * detach gives the stream to the caller; no send is pending, and of what was read nothing is kept (a
	 * pending read is dropped, an end or error shows again). The leg is still to be closed, and can do
	 * nothing else any more.
	 */
	bool (*bare)(const struct leg *leg);
	struct stream *(*detach)(struct leg *leg);
};

struct leg {
	const struct leg_ops *ops;
};

static inline void leg_read(struct leg *leg, leg_read_fn *fn, void *arg)
{
	leg->ops->read(leg, fn, arg);
}
static inline void leg_send(struct leg *leg, const struct part *part, leg_send_fn *fn, void *arg)
{
	leg->ops->send(leg, part, fn, arg);
}
static inline void leg_close(struct leg *leg, const struct error *why)
{
	leg->ops->close(leg, why);
}
static inline bool leg_bare(const struct leg *leg)
{
	return leg->ops->bare(leg);
}
static inline struct stream *leg_detach(struct leg *leg)
{
	return leg->ops->detach(leg);
}

#endif

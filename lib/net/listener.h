/* Accepts connections on an address and hands them out as streams. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/listening.h"
#include "net/stream.h"

struct listener;

/* s is the callee's. */
typedef void listener_fn(void *arg, struct stream *s);

/* Opens a socket as listening_open does. NULL with err. */
struct listener *listener_start(struct loop *l, const struct address *a, listener_fn *fn, void *arg,
				struct error *err);
/* One that is open already; taken, also on failure. */
struct listener *listener_new(struct loop *l, struct listening *socket, listener_fn *fn, void *arg,
			      struct error *err);
void listener_stop(struct listener *li);

/*
 * Other processes accept from the same socket, and each connection wakes all of them. It is taken by one
 * whose turn() says true; only when it is still there a few milliseconds later by anybody, for those whose
 * turn it was may be busy, full or dead. EPOLLEXCLUSIVE instead would wake the process that fell asleep last,
 * again and again, and leave a connection lying when that one may take no more.
 */
void listener_share(struct listener *li, bool (*turn)(void *arg), void *arg);

/* While paused, connections wait in the kernel's queue. For whoever has a limit to keep. */
void listener_pause(struct listener *li);
void listener_resume(struct listener *li);

/* "tcp:127.0.0.1:8080": with the port that the kernel chose when 0 was asked for. */
const char *listener_name(const struct listener *li);
/* The address bound, so that a tunnel can refuse to dial itself. */
const struct sockaddr_any *listener_address(const struct listener *li);
/* How often accept failed for want of descriptors or memory. */
uint64_t listener_exhausted(const struct listener *li);

#endif

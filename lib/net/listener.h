/* Accepts connections on an address and hands them out as streams. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/address.h"
#include "net/socket.h"
#include "net/stream.h"

struct listener;

/* s is the callee's. */
typedef void listener_fn(void *arg, struct stream *s);

/*
 * Binds and listens. A unix socket is made with mode 0600; one that is left over from a process
 * that died is replaced if it is ours, one that somebody answers on is an error. NULL with err.
 */
struct listener *listener_start(struct loop *l, const struct address *a, listener_fn *fn, void *arg,
				struct error *err);
/* Takes a listening socket that systemd has opened (sd_listen_fds(3)). */
struct listener *listener_adopt(struct loop *l, int fd, const char *name, listener_fn *fn, void *arg,
				struct error *err);
void listener_stop(struct listener *li);

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

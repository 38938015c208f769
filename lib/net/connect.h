/* One attempt to connect one socket to one address. */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include "base/loop.h"
#include "net/socket.h"
#include "net/stream.h"

struct connect;

/* s is the callee's; NULL with err. */
typedef void connect_fn(void *arg, struct stream *s, const struct error *err);

/*
 * Exactly one callback, from the loop; none after connect_cancel. name is the stream's, borrowed until then. A vsock
 * address that cannot be reached plainly is tried once more with VMADDR_FLAG_TO_HOST: with vhost_vsock loaded on an
 * instance, the kernel would otherwise look for the enclave among its own guests.
 */
struct connect *connect_start(struct loop *l, const struct sockaddr_any *to, const char *name, connect_fn *fn,
			      void *arg);
void connect_cancel(struct connect *c);

#endif

/* Sockets of every family: made, tuned, named. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "net/address.h"

struct sockaddr_any {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
		struct sockaddr_vm vm;
	};
	socklen_t len;
};

/*
 * The socket address of a unix, vsock or literal TCP address. For a hybrid address it is the
 * unix socket: PATH to dial, PATH_PORT to listen. False for a TCP name: that must be resolved.
 */
bool socket_address(const struct address *a, bool listen, struct sockaddr_any *out);

/* Non-blocking, close-on-exec. -1 with err. */
int socket_open(int family, struct error *err);
/* No Nagle delay, keep-alive probes for TCP; larger buffers for vsock. Failure is of no consequence. */
void socket_tune(int fd, int family);
/* The same for a listening one, and little that waits to be sent, for all that it will accept. */
void socket_tune_listening(int fd, int family);

#endif

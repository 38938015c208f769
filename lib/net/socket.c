#include "net/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * So much may wait to be sent to a client; what is on its way does not count. Without a bound the kernel takes megabytes
 * for one that reads slowly, and says that there is room again only when a third of them is through: that looks like a
 * client that does not read at all (timeouts.response_stall). Connections of our own have no such bound, for uploads in
 * bulk seemed to pay for it.
 */
#define TCP_UNSENT (128 * 1024)

/* vsock's default is 256 KiB, and its credit is the only flow control there is. */
#define VSOCK_BUFFER ((uint64_t)1024 * 1024)

static bool tcp_address(const struct address *a, struct sockaddr_any *out)
{
	uint16_t port = htons((uint16_t)a->port);
	if (a->host[0] == '\0') {
		out->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		out->len = sizeof out->v6;
		return true;
	}
	if (inet_pton(AF_INET, a->host, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = port;
		out->len = sizeof out->v4;
		return true;
	}
	if (inet_pton(AF_INET6, a->host, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = port;
		out->len = sizeof out->v6;
		return true;
	}
	return false;
}

bool socket_address(const struct address *a, bool listen, struct sockaddr_any *out)
{
	memset(out, 0, sizeof *out);
	switch (a->kind) {
	case ADDRESS_TCP:
		return tcp_address(a, out);
	case ADDRESS_VSOCK:
		out->vm =
			(struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = a->cid, .svm_port = a->port};
		out->len = sizeof out->vm;
		return true;
	case ADDRESS_UNIX:
	case ADDRESS_HYBRID:
		out->un.sun_family = AF_UNIX;
		if (a->kind == ADDRESS_HYBRID && listen)
			snprintf(out->un.sun_path, sizeof out->un.sun_path, "%.96s_%u", a->path, a->port);
		else
			memcpy(out->un.sun_path, a->path, sizeof out->un.sun_path);
		out->len = sizeof out->un;
		return true;
	}
	return false;
}

int socket_open(int family, struct error *err)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		error_errno(err, errno, "cannot open a socket");
	return fd;
}

void socket_tune(int fd, int family)
{
	int on = 1;
	if (family == AF_INET || family == AF_INET6) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	} else if (family == AF_VSOCK) {
		uint64_t size = VSOCK_BUFFER;
		setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size, sizeof size);
		setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof size);
	}
}

void socket_tune_listening(int fd, int family)
{
	int unsent = TCP_UNSENT;
	socket_tune(fd, family);
	if (family == AF_INET || family == AF_INET6)
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

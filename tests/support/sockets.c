#include "sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "net/fd_stream.h"

int socket_listening(struct sockaddr_any *at, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*at = (struct sockaddr_any){.len = sizeof at->v4};
	at->v4.sin_family = AF_INET;
	at->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0 && bind(fd, &at->sa, at->len) == 0 && listen(fd, backlog) == 0);
	CHECK(getsockname(fd, &at->sa, &at->len) == 0);
	return fd;
}

unsigned socket_port(const struct sockaddr_any *at)
{
	return ntohs(at->v4.sin_port);
}

void socket_refusing(struct sockaddr_any *at)
{
	close(socket_listening(at, 1));
}

void socket_black_hole(struct sockaddr_any *at, int fds[2])
{
	fds[0] = socket_listening(at, 0); /* a queue of one.. */
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(fds[1], &at->sa, at->len) == 0); /* ..which is full now: further SYNs are dropped */
}

static void descriptors(int family, int fds[2])
{
	if (family == AF_UNIX) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		return;
	}
	struct sockaddr_any at;
	int listening = socket_listening(&at, 1);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(fds[0], &at.sa, at.len) == 0);
	fds[1] = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fds[1] >= 0);
	close(listening);
}

static struct stream *stream_of(struct loop *l, int family, int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	struct stream *s = fd_stream_new(l, fd, family, FD_ACCEPTED, "test socket", NULL);
	CHECK(s);
	return s;
}

void socket_streams(struct loop *l, int family, struct stream **a, struct stream **b)
{
	int fds[2];
	descriptors(family, fds);
	*a = stream_of(l, family, fds[0]);
	*b = stream_of(l, family, fds[1]);
}

struct stream *socket_stream(struct loop *l, int family, int *other)
{
	int fds[2];
	descriptors(family, fds);
	*other = fds[1];
	return stream_of(l, family, fds[0]);
}

size_t pipes_open(void)
{
	size_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	CHECK(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		char to[64] = "";
		count += readlinkat(dirfd(dir), e->d_name, to, sizeof to - 1) > 0 &&
			 strncmp(to, "pipe:", 5) == 0;
	}
	closedir(dir);
	return count;
}

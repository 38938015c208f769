/*
 * LD_PRELOAD: the kernel takes fewer bytes than it is given, as it may at any time: 1 to 7 of them, or a
 * third; and one write in five has to wait for its turn in the loop, because it takes a single byte.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/types.h>

static _Atomic unsigned turn;

static size_t shorter(size_t n)
{
	unsigned k = atomic_fetch_add(&turn, 1);
	size_t least = n < 1 + k % 7 ? n : 1 + k % 7;
	return k % 5 == 0 ? (n ? 1 : 0) : k % 3 == 0 ? least : n / 3 > least ? n / 3 : least;
}

ssize_t send(int fd, const void *p, size_t n, int flags)
{
	static ssize_t (*next)(int, const void *, size_t, int);
	if (!next)
		next = (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	return next(fd, p, shorter(n), flags);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (!msg->msg_iovlen || msg->msg_control)
		return -1;
	/* The first piece that has bytes in it: the others are left for later. */
	size_t i = 0;
	while (i + 1 < msg->msg_iovlen && !msg->msg_iov[i].iov_len)
		i++;
	return send(fd, msg->msg_iov[i].iov_base, msg->msg_iov[i].iov_len, flags);
}

ssize_t splice(int in, off_t *in_at, int out, off_t *out_at, size_t n, unsigned flags)
{
	static ssize_t (*next)(int, off_t *, int, off_t *, size_t, unsigned);
	if (!next)
		next = (ssize_t(*)(int, off_t *, int, off_t *, size_t, unsigned))dlsym(RTLD_NEXT, "splice");
	return next(in, in_at, out, out_at, shorter(n), flags);
}

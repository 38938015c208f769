/*
 * LD_PRELOAD: a /dev/nsm that fails as NSM_FAULT says: "error" (EIO), "short" (an answer of nothing),
 * "garbage" (bytes that are no CBOR), "other" (the answer to another question), "long" (more than there was
 * room for), "slow" (two seconds, then an error).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

struct raw { /* linux/nsm.h */
	struct iovec request, response;
};

static int device = -1;

static int open_as(const char *name, const char *path, int flags, mode_t mode)
{
	int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
	if (strcmp(path, "/dev/nsm") != 0)
		return next(path, flags, mode);
	device = next("/dev/null", flags);
	return device;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_as("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_as("open64", path, flags, mode);
}

static int answer(struct raw *raw, const char *bytes, size_t size)
{
	memcpy(raw->response.iov_base, bytes, size);
	raw->response.iov_len = size;
	return 0;
}

static int fails(struct raw *raw)
{
	const char *how = getenv("NSM_FAULT");
	static const char other[] = "\xa1\x69GetRandom\xa1\x66random\x43"
				    "abc";
	if (how && strcmp(how, "short") == 0)
		return answer(raw, "", 0);
	if (how && strcmp(how, "garbage") == 0)
		return answer(raw, "\xff\x00\xfe garbage", 10);
	if (how && strcmp(how, "other") == 0)
		return answer(raw, other, sizeof other - 1);
	if (how && strcmp(how, "long") == 0) {
		raw->response.iov_len++;
		return 0;
	}
	if (how && strcmp(how, "slow") == 0)
		nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
	errno = EIO;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	va_list ap;
	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return fd >= 0 && fd == device ? fails(arg) : next(fd, request, arg);
}

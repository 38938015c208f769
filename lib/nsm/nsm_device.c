/* The kernel's door to the NSM: one ioctl that takes both buffers. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "nsm/nsm.h"

/* linux/nsm.h is newer (6.8) than the headers that most distributions build with. */
struct nsm_raw {
	struct iovec request, response; /* response.iov_len becomes what was written */
};
#define NSM_IOCTL_RAW _IOWR(0x0A, 0, struct nsm_raw)

struct device {
	struct nsm nsm;
	int fd;
};

static bool device_call(struct nsm *n, struct span request, struct buf *response, struct error *err)
{
	struct device *d = container_of(n, struct device, nsm);
	uint8_t in[NSM_REQUEST_MAX], out[NSM_RESPONSE_MAX];
	CHECK(request.n <= sizeof in);
	memcpy(in, request.p, request.n);
	struct nsm_raw raw = {{in, request.n}, {out, sizeof out}};
	int rc;
	do
		rc = ioctl(d->fd, NSM_IOCTL_RAW, &raw);
	while (rc != 0 && errno == EINTR);
	mem_wipe(in, request.n);
	if (rc != 0)
		return error_errno(err, errno, "the NSM device");
	bool good = raw.response.iov_len <= sizeof out && buf_add(response, out, raw.response.iov_len);
	mem_wipe(out, sizeof out); /* it may have been random bytes for a key */
	return good ||
	       error_set(err, ERR_PROTOCOL, "the NSM device answered more than it was given room for");
}

static void device_close(struct nsm *n)
{
	struct device *d = container_of(n, struct device, nsm);
	close(d->fd);
	free(d);
}

struct nsm *nsm_open(const char *path, struct error *err)
{
	int fd = open(path ? path : "/dev/nsm", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		error_errno(err, errno, "cannot open the NSM device %s", path ? path : "/dev/nsm");
		return NULL;
	}
	struct device *d = mem_alloc(sizeof *d);
	*d = (struct device){{device_call, device_close, false}, fd};
	return &d->nsm;
}

void nsm_close(struct nsm *n)
{
	if (n)
		n->close(n);
}

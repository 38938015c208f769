#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "init/machine.h"
#include "nsm/nsm.h"

/* linux/random.h's rand_pool_info with its flexible part. */
struct credited {
	int entropy_bits, bytes;
	char data[NSM_RANDOM_MAX];
};

static bool credit(const struct buf *random, struct error *err)
{
	struct credited c = {.entropy_bits = (int)random->n * 8, .bytes = (int)random->n};
	int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
	memcpy(c.data, random->p, random->n);
	bool good = fd >= 0 && ioctl(fd, RNDADDENTROPY, &c) == 0;
	int code = errno;
	mem_wipe(&c, sizeof c);
	if (fd >= 0)
		close(fd);
	return good || error_errno(err, code, "cannot give random bytes to the kernel");
}

bool machine_reseed(size_t *bytes, struct error *err)
{
	struct nsm *nsm = nsm_open(NULL, err);
	struct buf random;
	if (!nsm)
		return false;
	buf_init(&random, NSM_RANDOM_MAX);
	bool good = nsm_random(nsm, &random, err) && credit(&random, err);
	*bytes = random.n;
	buf_free(&random);
	nsm_close(nsm);
	return good;
}

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/machine.h"

bool machine_loopback_up(struct error *err)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, errno, "cannot bring lo up");
	bool up = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
	if (up && !(request.ifr_flags & IFF_UP)) {
		request.ifr_flags |= IFF_UP | IFF_RUNNING;
		up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	}
	int code = errno;
	close(fd);
	return up || error_errno(err, code, "cannot bring lo up");
}

/*
 * Runs in the place of init and becomes it: before, it has the kernel make a PTP clock, for a hypervisor's is
 * not to be had without KVM, and sets it. What it mounts it unmounts; init finds a machine that nobody has
 * touched.
 *
 *	rdinit=/bin/ptp ptp_ahead=MILLISECONDS
 *
 * on the kernel's command line, which makes a variable of the second word; without it the clock begins in 1970.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
	printf("ptp: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	reboot(RB_AUTOBOOT);
	return 1;
}

/* netdevsim is a network card for the kernel's own tests; each has a clock (drivers/ptp/ptp_mock.c). */
static int make_clock(void)
{
	static const char one_port[] = "1 1";
	int fd = open("/sys/bus/netdevsim/new_device", O_WRONLY);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, one_port, sizeof one_port - 1);
	close(fd);
	return n > 0 ? open("/dev/ptp0", O_RDWR) : -1;
}

static int set_clock(int fd, const char *ahead_ms)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	long long ns = t.tv_sec * 1000000000LL + t.tv_nsec + atoll(ahead_ms) * 1000000LL;
	const struct timespec to = {ns / 1000000000, ns % 1000000000};
	return clock_settime((clockid_t)(~(unsigned)fd << 3 | 3), &to);
}

int main(void)
{
	const char *ahead_ms = getenv("ptp_ahead");
	if (mount("sysfs", "/sys", "sysfs", 0, NULL) != 0 ||
	    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) != 0)
		return fail("cannot mount");
	int fd = make_clock();
	if (fd < 0)
		return fail("this kernel makes no clock");
	if (ahead_ms && set_clock(fd, ahead_ms) != 0)
		return fail("the clock cannot be set");
	close(fd);
	if (umount("/dev") != 0 || umount("/sys") != 0)
		return fail("cannot unmount");
	execl("/init", "/init", (char *)NULL);
	return fail("no /init");
}

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "init/machine.h"

static const struct {
	const char *type, *at, *data;
	unsigned long flags;
	mode_t mode;
} mounts[] = {
	{"proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, 0555},
	{"sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, 0555},
	{"devtmpfs", "/dev", NULL, MS_NOSUID | MS_NOEXEC, 0755},
	{"devpts", "/dev/pts", "mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC, 0755},
	{"tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV | MS_NOEXEC, 01777},
	{"tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0755},
	{"tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV, 01777},
};

static bool mounted(const char *at)
{
	struct stat here, above;
	char parent[32];
	snprintf(parent, sizeof parent, "%s/..", at);
	return stat(at, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

/* Without it what we and the application say would go nowhere, and the first file opened would be descriptor
 * 0. */
static void open_console(void)
{
	if (fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0)
		return;
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	for (int to = STDIN_FILENO; to <= STDERR_FILENO; to++)
		if (fd >= 0 && fd != to)
			dup2(fd, to);
	if (fd > STDERR_FILENO)
		close(fd);
}

void machine_mount(void)
{
	struct error err[countof(mounts)];
	bool failed[countof(mounts)] = {false};
	for (size_t i = 0; i < countof(mounts); i++) {
		if (mounted(mounts[i].at))
			continue;
		mkdir(mounts[i].at, mounts[i].mode);
		if (mount(mounts[i].type, mounts[i].at, mounts[i].type, mounts[i].flags, mounts[i].data) !=
			    0 &&
		    errno != EBUSY)
			failed[i] = !error_errno(&err[i], errno, "cannot mount %s", mounts[i].at);
	}
	open_console(); /* behind /dev: now there is something to log to */
	for (size_t i = 0; i < countof(mounts); i++)
		if (failed[i])
			log_write(LOG_WARN, "init", LOG_ERR(&err[i]));
}

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "init/machine.h"

static int is_module(const struct dirent *e)
{
	size_t n = strlen(e->d_name);
	return n > 3 && strcmp(e->d_name + n - 3, ".ko") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void load(int directory, const char *name)
{
	struct error err;
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	bool loaded = fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0;
	int code = errno;
	if (fd >= 0)
		close(fd);
	if (loaded) {
		log_write(LOG_INFO, "module", LOG_STR("name", name));
	} else if (code != EEXIST) {
		error_errno(&err, code, "cannot load %s", name);
		log_write(LOG_WARN, "module", LOG_ERR(&err));
	}
}

void machine_load_modules(const char *directory)
{
	struct dirent **names;
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	int count = scandir(directory, &names, is_module, by_bytes);
	for (int i = 0; i < count; i++) {
		load(fd, names[i]->d_name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	close(fd);
}

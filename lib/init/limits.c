#include <stdio.h>
#include <sys/resource.h>

#include "init/machine.h"

#define DESCRIPTORS 1048576 /* what the kernel allows unless told otherwise: fs.nr_open */

void machine_raise_limits(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= DESCRIPTORS)
		return;
	limit.rlim_max = DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit); /* the soft limit is each process's own matter */
}

#include "clock.h"

#include <sys/syscall.h>
#include <unistd.h>

static time_t later; /* seconds that it was put forward */

int clock_gettime(clockid_t id, struct timespec *t)
{
	int failed = (int)syscall(SYS_clock_gettime, id, t);
	t->tv_sec += later;
	return failed;
}

void clock_forward(time_t seconds)
{
	later += seconds;
}

void clock_reset(void)
{
	later = 0;
}

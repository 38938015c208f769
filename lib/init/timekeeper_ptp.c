/* The kernel's clocks: CLOCK_REALTIME, and a PTP device as a dynamic clock (clock_gettime(2)). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "init/timekeeper.h"

#define SECOND	 1000000000LL
#define READINGS 5 /* the quickest of so many is the most exact */

struct ptp {
	int fd;
};

static int64_t nanoseconds(struct timespec t)
{
	return t.tv_sec * SECOND + t.tv_nsec;
}

/* The reference between two looks at our own clock, which bound the error. */
static bool offset(void *arg, int64_t *ns, struct error *err)
{
	const struct ptp *p = arg;
	clockid_t reference = (clockid_t)(~(unsigned)p->fd << 3 | 3); /* FD_TO_CLOCKID */
	int64_t best = INT64_MAX;
	for (int i = 0; i < READINGS; i++) {
		struct timespec before, there, after;
		clock_gettime(CLOCK_REALTIME, &before);
		if (clock_gettime(reference, &there) != 0)
			return error_errno(err, errno, "the PTP clock cannot be read");
		clock_gettime(CLOCK_REALTIME, &after);
		int64_t took = nanoseconds(after) - nanoseconds(before);
		if (took < 0 || took >= best)
			continue;
		best = took;
		*ns = nanoseconds(there) - nanoseconds(before) - took / 2;
	}
	return best < INT64_MAX || error_set(err, ERR_IO, "the clock goes backwards");
}

static bool step(void *arg, int64_t ns, struct error *err)
{
	struct timespec now;
	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t then = nanoseconds(now) + ns;
	const struct timespec to = {then / SECOND, then % SECOND};
	return clock_settime(CLOCK_REALTIME, &to) == 0 || error_errno(err, errno, "the clock cannot be set");
}

/* The kernel makes it good by 500 us a second. */
static bool slew(void *arg, int64_t ns, struct error *err)
{
	struct timex t = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = ns / 1000};
	(void)arg;
	return adjtimex(&t) >= 0 || error_errno(err, errno, "the clock cannot be adjusted");
}

static int64_t now(void *arg)
{
	struct timespec t;
	(void)arg;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

static void close_ptp(void *arg)
{
	struct ptp *p = arg;
	close(p->fd);
	free(p);
}

void timekeeper_ptp(struct timekeeper_ops *ops, const char *device, bool may_set)
{
	*ops = (struct timekeeper_ops){.now = now};
	int fd = may_set ? open(device, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	struct ptp *p = mem_alloc(sizeof *p);
	p->fd = fd;
	*ops = (struct timekeeper_ops){offset, step, slew, now, close_ptp, p};
}

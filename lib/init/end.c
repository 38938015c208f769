#include <errno.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "init/machine.h"

#define STEP_MS 20

/* True when no child is left. */
static bool reap_within(unsigned ms)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
	for (unsigned waited = 0;; waited += STEP_MS) {
		pid_t pid;
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return true;
		if (waited >= ms)
			return false;
		nanosleep(&step, NULL);
	}
}

/*
 * RB_AUTOBOOT, like AWS's init: an enclave that restarts its kernel is over for the hypervisor, and nitro-cli
 * sees it end. Powering off instead needs ACPI, which an enclave has not.
 */
void machine_end(unsigned wait_ms)
{
	if (getpid() != 1)
		return;
	kill(-1, SIGTERM);
	if (!reap_within(wait_ms)) {
		kill(-1, SIGKILL);
		reap_within(wait_ms);
	}
	log_write(LOG_INFO, "init", LOG_STR("detail", "the machine ends"));
	sync();
	reboot(RB_AUTOBOOT);
}

#include "base/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/sandbox_impl.h"

static struct sandbox_state state = {.mode = SANDBOX_OFF, .memory_why = ""};

const struct sandbox_state *sandbox_state(void)
{
	return &state;
}

const char *sandbox_mode_name(enum sandbox_mode mode)
{
	switch (mode) {
	case SANDBOX_ENFORCE:
		return "enforce";
	case SANDBOX_LOG:
		return "log";
	case SANDBOX_OFF:
		return "off";
	}
	return "";
}

const char *sandbox_impossible(void)
{
#ifdef NP_INSTRUMENTED
	return "this build is instrumented: " NP_INSTRUMENTED;
#else
	return NULL;
#endif
}

/* ---- rules ---- */

void sandbox_path(struct sandbox_rules *r, const char *path, unsigned access)
{
	CHECK(r->path_count < SANDBOX_PATHS);
	r->paths[r->path_count].path = path;
	r->paths[r->path_count++].access = access;
}

/* ---- memory ---- */

static bool has_capability(unsigned which)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	return syscall(SYS_capget, &head, data) == 0 && data[which / 32].effective & 1u << which % 32;
}

/*
 * mlockall counts what is reserved, not what is used, and under MCL_FUTURE an allocation beyond
 * RLIMIT_MEMLOCK fails: better pages that can be swapped than a process that dies of a limit.
 */
static void lock_memory(void)
{
	struct rlimit limit = {0, 0};
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur != RLIM_INFINITY && !has_capability(CAP_IPC_LOCK))
		state.memory_why = "RLIMIT_MEMLOCK is limited";
	else if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		state.memory_why = "the kernel refuses";
	else
		state.memory_locked = true;
}

/* ---- the order matters: each step still needs the calls that the next one takes away ---- */

static bool filter_calls(const struct sandbox_rules *r, struct error *err)
{
	struct sock_filter program[SANDBOX_PROGRAM];
	uint32_t refuse = r->mode == SANDBOX_LOG ? SECCOMP_RET_LOG : SECCOMP_RET_KILL_PROCESS;
	struct sock_fprog p = {.filter = program,
			       .len = (unsigned short)sandbox_program(program, r->allow, refuse)};
	/* For threads that libraries may have started; 0 or the thread that could not follow. */
	long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &p);
	return rc == 0 || error_errno(err, rc > 0 ? ESRCH : errno, "seccomp");
}

bool sandbox_enter(const struct sandbox_rules *r, struct error *err)
{
	if (r->lock_memory)
		lock_memory();
	if (r->mode == SANDBOX_OFF)
		return true;
	CHECK(!sandbox_impossible());
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_errno(err, errno, "no_new_privs");
	int landlock = r->mode == SANDBOX_ENFORCE ? sandbox_landlock(r, err) : 0;
	if (landlock < 0 || !filter_calls(r, err))
		return false;
	state.landlock = landlock;
	state.mode = r->mode;
	return true;
}

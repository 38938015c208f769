#include "demo/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#define END_MS 5000 /* from SIGTERM to SIGKILL */

/* What a child inherits: not our user's settings, which the environment may hold. */
static char **environment(void)
{
	static const char *const names[] = {"PATH",	     "TMPDIR",	     "ASAN_OPTIONS",
					    "UBSAN_OPTIONS", "LSAN_OPTIONS", "LLVM_PROFILE_FILE",
					    "GCOV_PREFIX"};
	char **list = mem_zero((countof(names) + 1) * sizeof *list);
	size_t n = 0;
	for (size_t i = 0; i < countof(names); i++) {
		const char *value = getenv(names[i]);
		if (value && asprintf(&list[n++], "%s=%s", names[i], value) < 0)
			abort();
	}
	return list;
}

static void free_environment(char **list)
{
	for (char **p = list; *p; p++)
		free(*p);
	free(list);
}

/* Between fork and exec: nothing but system calls. */
static _Noreturn void become(const char *log, char *const *argv, char *const *envp, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* it died before it could be watched */
	int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (in >= 0 && out >= 0) {
		dup2(in, 0);
		dup2(out, 1);
		dup2(out, 2);
		execve("/proc/self/exe", argv, envp);
	}
	_exit(127);
}

bool child_start(struct child *c, const char *role, const struct text_list *args, const char *log,
		 struct error *err)
{
	pid_t parent = getpid();
	char **argv = mem_zero((args->count + 1) * sizeof *argv), **envp = environment();
	memcpy(argv, args->items, args->count * sizeof *argv);
	pid_t pid = fork();
	if (pid == 0)
		become(log, argv, envp, parent);
	free(argv);
	free_environment(envp);
	if (pid < 0)
		return error_errno(err, errno, "cannot start the %s", role);
	*c = (struct child){.role = role, .pid = pid};
	return true;
}

bool child_ended(struct child *c, int *status)
{
	if (!c->pid || waitpid(c->pid, status, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	return true;
}

static bool any_left(struct child *children, size_t count)
{
	int status;
	bool left = false;
	for (size_t i = 0; i < count; i++)
		left |= !child_ended(&children[i], &status) && children[i].pid;
	return left;
}

static void signal_all(const struct child *children, size_t count, int signum)
{
	for (size_t i = 0; i < count; i++)
		if (children[i].pid)
			kill(children[i].pid, signum);
}

void children_end(struct child *children, size_t count)
{
	const struct timespec pause = {0, 5000000};
	signal_all(children, count, SIGTERM);
	for (int waited = 0; any_left(children, count) && waited < END_MS; waited += 5)
		nanosleep(&pause, NULL);
	signal_all(children, count, SIGKILL);
	while (any_left(children, count))
		nanosleep(&pause, NULL);
}

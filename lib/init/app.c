#include "init/app.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "init/keep.h"

struct app {
	struct keep keep;
	char **argv, **envp; /* owned, texts too; NULL at the end */
	uint32_t uid;
	bool once, over;
};

/* ---- what it is given ---- */

static void add(char ***list, size_t *n, const char *name, const char *value)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	buf_printf(&text, "%s%s", name, value);
	*list = mem_resize(*list, (*n + 2) * sizeof **list);
	(*list)[(*n)++] = mem_text(buf_text(&text));
	(*list)[*n] = NULL;
	buf_free(&text);
}

static char **make_list(const struct text_list *items, char **list, size_t n)
{
	for (size_t i = 0; i < items->count; i++)
		add(&list, &n, "", items->items[i]);
	return list;
}

static char **make_environment(const struct app_config *c)
{
	static const char *const names[] = {"HTTP_PROXY=", "http_proxy=", "HTTPS_PROXY=", "https_proxy="};
	char **list = NULL;
	size_t n = 0;
	add(&list, &n, "PATH=", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add(&list, &n, "HOME=", "/");
	for (size_t i = 0; i < 4 && c->proxy; i++)
		add(&list, &n, names[i], c->proxy);
	if (c->proxy)
		add(&list, &n, "NO_PROXY=", "localhost,127.0.0.1,::1");
	return make_list(c->environment, list, n);
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

/* ---- running it ---- */

/* In the child: a session of its own, no signal blocked or ignored, and no more rights than it needs. */
_Noreturn static void become(const struct app *a)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	setsid();
	uint32_t uid = a->uid;
	if (getuid() == 0 && uid && (setgroups(0, NULL) != 0 || setgid(uid) != 0 || setuid(uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* behind setuid, which would clear it */
	execve(a->argv[0], a->argv, a->envp);
	_exit(127);
}

uint64_t app_tend(struct app *a, uint64_t now_ms)
{
	uint64_t wait = keep_due_in(&a->keep, now_ms);
	if (wait)
		return wait;
	pid_t pid = fork();
	if (pid == 0)
		become(a);
	struct error err;
	if (pid < 0)
		error_errno(&err, errno, "the application cannot be started");
	keep_started(&a->keep, pid, now_ms);
	if (pid < 0)
		log_write(LOG_ERROR, "app", LOG_ERR(&err));
	else
		log_write(LOG_INFO, "app", LOG_STR("state", "started"), LOG_INT("app_pid", pid));
	return keep_due_in(&a->keep, now_ms);
}

bool app_ended(struct app *a, pid_t pid, int status, uint64_t now_ms)
{
	if (pid != a->keep.pid)
		return false;
	bool stopped = a->keep.let_go;
	if (a->once)
		keep_let_go(&a->keep);
	uint64_t pause = keep_ended(&a->keep, now_ms);
	bool again = pause != KEEP_NEVER;
	log_write(LOG_WARN, "app", LOG_STR("state", "ended"),
		  LOG_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)),
		  LOG_STR("next", again ? "start" : "none"), LOG_UINT("pause_ms", again ? pause : 0));
	a->over = a->once && !stopped;
	return true;
}

void app_stop(struct app *a, int signal_number)
{
	keep_let_go(&a->keep);
	pid_t pid = a->keep.pid;
	if (pid && kill(-pid, signal_number) != 0) /* just started: it leads no session yet */
		kill(pid, signal_number);
}

/* ---- life ---- */

struct app *app_new(const struct app_config *config, uint64_t now_ms)
{
	struct app *a = mem_zero(sizeof *a);
	keep_init(&a->keep, now_ms);
	a->argv = make_list(config->command, NULL, 0);
	a->envp = make_environment(config);
	a->uid = config->uid;
	a->once = config->once;
	return a;
}

void app_free(struct app *a)
{
	if (!a)
		return;
	free_list(a->argv);
	free_list(a->envp);
	free(a);
}

bool app_running(const struct app *a)
{
	return a->keep.pid != 0;
}

bool app_over(const struct app *a)
{
	return a->over;
}

uint64_t app_restarts(const struct app *a)
{
	return a->keep.starts ? a->keep.starts - 1 : 0;
}

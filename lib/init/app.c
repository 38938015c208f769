#include "init/app.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"

#define PAUSE_MIN_MS 250
#define PAUSE_MAX_MS 30000
#define STEADY_MS    60000 /* who lived so long begins with the shortest pause again */

struct app {
	struct loop *loop;
	struct app_config config;
	char **argv, **envp; /* owned, texts too; NULL at the end */
	pid_t pid;	     /* 0: does not run */
	uint64_t started, pause_ms, restarts;
	struct timer timer;
	struct signal_watch *child;
	bool stopped;
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
	uint32_t uid = a->config.uid;
	if (getuid() == 0 && uid && (setgroups(0, NULL) != 0 || setgid(uid) != 0 || setuid(uid) != 0))
		_exit(126);
	execve(a->argv[0], a->argv, a->envp);
	_exit(127);
}

static void on_pause_over(struct timer *t);

static void run(struct app *a)
{
	a->started = loop_now(a->loop);
	pid_t pid = fork();
	if (pid == 0)
		become(a);
	if (pid > 0) {
		a->pid = pid;
		log_write(LOG_INFO, "app", LOG_STR("state", "started"), LOG_INT("app_pid", pid));
		return;
	}
	struct error err;
	error_errno(&err, errno, "the application cannot be started");
	log_write(LOG_ERROR, "app", LOG_ERR(&err));
	timer_start(a->loop, &a->timer, PAUSE_MAX_MS, on_pause_over);
}

static void on_pause_over(struct timer *t)
{
	struct app *a = container_of(t, struct app, timer);
	a->restarts++;
	run(a);
}

static void ended(struct app *a, int status)
{
	bool again = !a->stopped && !a->config.once;
	a->pid = 0;
	if (loop_now(a->loop) - a->started >= STEADY_MS)
		a->pause_ms = PAUSE_MIN_MS;
	log_write(LOG_WARN, "app", LOG_STR("state", "ended"),
		  LOG_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)),
		  LOG_STR("next", again ? "start" : "none"), LOG_UINT("pause_ms", again ? a->pause_ms : 0));
	if (again) {
		timer_start(a->loop, &a->timer, a->pause_ms, on_pause_over);
		a->pause_ms = a->pause_ms * 2 < PAUSE_MAX_MS ? a->pause_ms * 2 : PAUSE_MAX_MS;
	} else if (!a->stopped) {
		a->config.on_end(a->config.arg, status);
	}
}

/* One signal may stand for many ends. */
static void on_child(void *arg)
{
	struct app *a = arg;
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == a->pid)
			ended(a, status);
}

/* ---- life ---- */

struct app *app_start(struct loop *l, const struct app_config *config)
{
	struct app *a = mem_zero(sizeof *a);
	a->loop = l;
	a->config = *config;
	a->pause_ms = PAUSE_MIN_MS;
	a->argv = make_list(config->command, NULL, 0);
	a->envp = make_environment(config);
	a->child = loop_signal(l, SIGCHLD, on_child, a);
	if (a->argv)
		run(a);
	return a;
}

void app_stop(struct app *a)
{
	a->stopped = true;
	timer_stop(a->loop, &a->timer);
	if (a->pid && kill(-a->pid, SIGTERM) != 0) /* just started: it leads no session yet */
		kill(a->pid, SIGTERM);
}

void app_free(struct app *a)
{
	if (!a)
		return;
	app_stop(a);
	signal_stop(a->child);
	free_list(a->argv);
	free_list(a->envp);
	free(a);
}

bool app_running(const struct app *a)
{
	return a->pid != 0;
}
uint64_t app_restarts(const struct app *a)
{
	return a->restarts;
}

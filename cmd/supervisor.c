#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "init/app.h"
#include "init/keep.h"
#include "systemd.h"
#include "tls/entropy.h"

/* A worker cuts what runs when timeouts.drain is over; one that does not even do that is killed. */
#define LAST_GRACE_MS 5000

struct supervisor {
	const struct supervisor_config *config;
	struct keep *workers; /* owned, crew->count of them */
	struct app *app;      /* owned; NULL: none */
	int signal_fd, ready_fd;
	unsigned ready; /* workers that have told so */
	bool up, ending, failed;
	uint64_t kill_ms; /* when the patience is over; 0: not yet */
	uint64_t watchdog_ms, beat_ms;
	int status;
	unsigned born; /* in a child: which worker it is */
};

static uint64_t now_ms(void)
{
	return monotonic_us() / 1000;
}

static void earlier(uint64_t *at, uint64_t other)
{
	*at = other < *at ? other : *at;
}

/* ---- children ---- */

/* Blocked, in workers until these can take them (worker_signals). */
static void wanted_signals(sigset_t *set)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGCHLD};
	sigemptyset(set);
	for (size_t i = 0; i < countof(signals); i++)
		sigaddset(set, signals[i]);
}

/* In the child. What only the supervisor needs goes. */
static void become_worker(struct supervisor *s, unsigned index, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close(s->signal_fd);
	unsetenv("NOTIFY_SOCKET"); /* what systemd is told, the supervisor tells */
	unsetenv("WATCHDOG_PID");  /* but how often, workers go by, too */
	entropy_forked();
	crew_join(s->config->crew, index);
}

/* True in the child. */
static bool start_worker(struct supervisor *s, unsigned index)
{
	struct keep *k = &s->workers[index];
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		become_worker(s, index, parent);
		return true;
	}
	struct error err;
	if (pid < 0) {
		error_errno(&err, errno, "a worker cannot be started");
		log_write(LOG_ERROR, "worker", LOG_INT("worker", index), LOG_ERR(&err));
		s->failed = !s->up;
		s->status = 1;
	}
	keep_started(k, pid, now_ms());
	if (k->starts > 1)
		crew_care(s->config->crew)->restarts++;
	return false;
}

/*
 * Starts who is due. True in a child. The others wait for the first: what is wrong with it is wrong with all.
 */
static bool start_due(struct supervisor *s)
{
	for (unsigned i = 0; i < s->config->crew->count && !s->failed; i++)
		if ((i == 0 || s->ready > 0) && keep_due_in(&s->workers[i], now_ms()) == 0 &&
		    start_worker(s, i)) {
			s->born = i;
			return true;
		}
	return false;
}

static int exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void worker_ended(struct supervisor *s, unsigned index, int status)
{
	struct keep *k = &s->workers[index];
	pid_t pid = k->pid;
	uint64_t pause = keep_ended(k, now_ms());
	crew_left(s->config->crew, index);
	if (s->ending && exit_status(status) == 0)
		return;
	log_write(LOG_ERROR, "worker", LOG_STR("state", "ended"), LOG_UINT("worker", index),
		  LOG_INT("worker_pid", pid), LOG_INT("status", exit_status(status)),
		  LOG_STR("next", s->ending || !s->up ? "none" : "start"),
		  LOG_UINT("pause_ms", s->ending || !s->up ? 0 : pause));
	if (s->up || s->ending)
		return;
	s->failed = true;
	s->status = exit_status(status) ? exit_status(status) : 1;
}

static void end(struct supervisor *s, const char *why);

/* As the first process we are given others' orphans, too. */
static void collect(struct supervisor *s)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < s->config->crew->count; i++)
			if (s->workers[i].pid == pid)
				worker_ended(s, i, status);
		if (s->app && app_ended(s->app, pid, status, now_ms()) && app_over(s->app))
			end(s, "the application has ended");
	}
}

static void tell_workers(const struct supervisor *s, int signal_number)
{
	for (unsigned i = 0; i < s->config->crew->count; i++)
		if (s->workers[i].pid)
			kill(s->workers[i].pid, signal_number);
}

static bool any_child(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->config->crew->count; i++)
		if (s->workers[i].pid)
			return true;
	return s->app && app_running(s->app);
}

/* ---- the end ---- */

/*
 * The workers look how often they were told before they believe a signal: a terminal's or systemd's reaches
 * them beside ours, and twice would mean at once.
 */
static void end(struct supervisor *s, const char *why)
{
	struct crew_care *care = crew_care(s->config->crew);
	const struct settings *set = s->config->settings;
	if (!s->ending) {
		log_write(LOG_INFO, "drain", LOG_STR("detail", why),
			  LOG_UINT("within_ms", set->timeouts.drain));
		systemd_notify("STOPPING=1");
		s->kill_ms = now_ms() + set->timeouts.drain + LAST_GRACE_MS;
		for (unsigned i = 0; i < s->config->crew->count; i++)
			keep_let_go(&s->workers[i]);
		sockets_close_all(s->config->sockets); /* nobody is left in a queue that is not served */
	}
	s->ending = true;
	care->told_to_end++;
	tell_workers(s, SIGTERM);
	if (s->app)
		app_stop(s->app, SIGTERM);
}

static void on_patience_over(struct supervisor *s)
{
	log_write(LOG_WARN, "stop", LOG_STR("detail", "what has not ended in time is killed"));
	tell_workers(s, SIGKILL);
	if (s->app)
		app_stop(s->app, SIGKILL);
	s->kill_ms = now_ms() + LAST_GRACE_MS;
}

/* ---- what comes in ---- */

static void take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signal_fd, &info, sizeof info) == sizeof info) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			end(s, "a signal");
			break;
		case SIGUSR1:
			log_reopen(NULL);
			tell_workers(s, SIGUSR1);
			break;
		case SIGCHLD:
			collect(s);
			break;
		}
	}
}

static void take_ready(struct supervisor *s)
{
	const struct duties *d = s->config->duties;
	uint64_t n;
	if (read(s->ready_fd, &n, sizeof n) != sizeof n)
		return;
	s->ready += (unsigned)n;
	if (s->up || s->ending || s->ready < s->config->crew->count)
		return;
	s->up = true;
	if (d->ready)
		d->ready(d->arg);
	systemd_notify("READY=1");
	log_write(LOG_INFO, "ready", LOG_UINT("workers", s->config->crew->count));
	if (d->app)
		s->app = d->app(d->arg, s->config->settings, now_ms());
}

/* systemd hears from us while all workers give signs of life. */
static void beat(struct supervisor *s)
{
	struct crew *crew = s->config->crew;
	if (s->up && crew_all_alive(crew))
		systemd_notify("WATCHDOG=1");
	s->beat_ms = now_ms() + s->watchdog_ms;
}

/* Does what is due. In how many milliseconds there is more. */
static uint64_t tend(struct supervisor *s)
{
	const struct duties *d = s->config->duties;
	struct crew_care *care = crew_care(s->config->crew);
	uint64_t wait = KEEP_NEVER, now = now_ms();
	if (s->kill_ms && now >= s->kill_ms)
		on_patience_over(s);
	if (s->watchdog_ms && now >= s->beat_ms)
		beat(s);
	if (d->tend)
		earlier(&wait, d->tend(d->arg, care));
	if (s->app) {
		earlier(&wait, app_tend(s->app, now));
		care->app = 1;
		care->app_running = app_running(s->app);
		care->app_restarts = app_restarts(s->app);
	}
	for (unsigned i = 0; i < s->config->crew->count; i++)
		if (i == 0 || s->ready > 0)
			earlier(&wait, keep_due_in(&s->workers[i], now));
	if (s->kill_ms)
		earlier(&wait, s->kill_ms > now ? s->kill_ms - now : 0);
	if (s->watchdog_ms)
		earlier(&wait, s->beat_ms > now ? s->beat_ms - now : 0);
	return wait;
}

static void wait_for(struct supervisor *s, uint64_t ms)
{
	struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN}, {.fd = s->ready_fd, .events = POLLIN}};
	poll(fds, countof(fds), ms > 60000 ? 60000 : (int)ms);
	take_ready(s);
	take_signals(s);
}

/* ---- life ---- */

static void begin(struct supervisor *s, const struct supervisor_config *config)
{
	sigset_t mask;
	*s = (struct supervisor){.config = config, .watchdog_ms = systemd_watchdog_ms() / 2};
	s->workers = mem_zero(config->crew->count * sizeof *s->workers);
	for (unsigned i = 0; i < config->crew->count; i++)
		keep_init(&s->workers[i], now_ms());
	wanted_signals(&mask);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	s->signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	s->ready_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(s->signal_fd >= 0 && s->ready_fd >= 0);
}

bool supervise(const struct supervisor_config *config, struct worker_line *line, int *status)
{
	struct supervisor s;
	bool child = false;
	begin(&s, config);
	while (!(child = start_due(&s)) && !s.failed) {
		uint64_t wait = tend(&s);
		if (s.ending && !any_child(&s))
			break;
		wait_for(&s, wait);
	}
	if (child) {
		line->ready_fd = s.ready_fd;
	} else {
		if (s.failed && any_child(&s)) { /* others had started */
			tell_workers(&s, SIGKILL);
			while (waitpid(-1, NULL, 0) > 0)
				;
		}
		sockets_close_all(config->sockets);
		close(s.signal_fd);
		close(s.ready_fd);
	}
	app_free(s.app);
	free(s.workers);
	*status = s.status;
	return child;
}

void worker_signals(void)
{
	sigset_t set;
	wanted_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void worker_ready(struct worker_line *line)
{
	uint64_t one = 1;
	if (line->ready_fd < 0)
		return;
	(void)!write(line->ready_fd, &one, sizeof one);
	close(line->ready_fd);
	line->ready_fd = -1;
}

#include "daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "confine.h"
#include "tls/entropy.h"

/*
 * libuv's threads resolve names, and a name server that does not answer holds a thread for as long as the
 * system's resolver is patient. With this many, other names get through all the same.
 */
#define TUNNEL_THREADS "64"

/* ---- the process ---- */

static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

#if defined(__SANITIZE_ADDRESS__) /* gcc */
#define UNDER_ASAN 1
#elif defined(__has_feature) /* clang */
#define UNDER_ASAN __has_feature(address_sanitizer)
#else
#define UNDER_ASAN 0
#endif

/*
 * Memory holds what others must not see: no core files, and nothing for a debugger of the same user.
 * AddressSanitizer's leak check is such a debugger.
 */
static void close_process(void)
{
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
	if (!UNDER_ASAN)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(0077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* settings are read once; a terminal that goes is no reason to */
}

/*
 * Started with stderr closed, the first socket would become descriptor 2 and a client would be sent the log.
 */
static void keep_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", O_RDWR); /* takes the lowest number, which is fd */
}

static bool open_log(struct daemon *d, struct error *err)
{
	const struct settings *s = &d->settings;
	return log_open(&(struct log_options){.level = s->logging.level,
					      .format = s->logging.format,
					      .role = d->role,
					      .file = s->logging.file,
					      .max_size = s->logging.max_size,
					      .backup_count = s->logging.backup_count,
					      .writers = settings_workers(s)},
			err);
}

static void log_start(const struct daemon *d)
{
	const struct settings *s = &d->settings;
	log_write(LOG_INFO, "start", LOG_STR("version", NP_VERSION), LOG_INT("pid", getpid()));
	for (size_t i = 0; i < s->insecure.count; i++)
		log_write(LOG_WARN, "insecure", LOG_STR("detail", s->insecure.items[i]));
	for (size_t i = 0; i < s->warnings.count; i++)
		log_write(LOG_WARN, "warning", LOG_STR("detail", s->warnings.items[i]));
}

/* ---- signals, and the end they bring ---- */

static void stop(struct daemon *d, const char *why)
{
	log_write(LOG_INFO, "stop", LOG_STR("detail", why));
	loop_stop(d->loop);
}

static void on_drain_timeout(struct timer *t)
{
	stop(container_of(t, struct daemon, drain_timer),
	     "the time to drain is over: what still ran was cut");
}

void daemon_drain(struct daemon *d, const char *why)
{
	if (d->draining) {
		stop(d, "told to end twice: what still ran was cut");
		return;
	}
	d->draining = true;
	if (!d->supervised) {
		log_write(LOG_INFO, "drain", LOG_STR("detail", why),
			  LOG_UINT("within_ms", d->settings.timeouts.drain));
		systemd_notify("STOPPING=1");
	}
	timer_start(d->loop, &d->drain_timer, d->settings.timeouts.drain, on_drain_timeout);
	d->drain(d->arg);
}

/* A worker's may come from a terminal, too: what counts is how often the supervisor has said so. */
static void on_end_signal(void *arg)
{
	struct daemon *d = arg;
	uint64_t told = d->supervised ? crew_care(d->crew)->told_to_end : d->told + 1;
	for (; d->told < told; d->told++)
		daemon_drain(d, "a signal");
}

void daemon_drained(struct daemon *d)
{
	stop(d, "everything had ended");
}

static void on_reopen_signal(void *arg)
{
	struct error err;
	(void)arg;
	if (!log_reopen(&err))
		log_write(LOG_ERROR, "log", LOG_ERR(&err));
}

static void on_watchdog(struct timer *t)
{
	struct daemon *d = container_of(t, struct daemon, watchdog);
	crew_figures(d->crew)->beats++;
	if (!d->supervised)
		systemd_notify("WATCHDOG=1");
	timer_start(d->loop, t, d->watchdog_ms, on_watchdog);
}

/* ---- life ---- */

static const char *role_name(enum command command)
{
	switch (command) {
	case CMD_HOST:
		return "host";
	case CMD_ENCLAVE:
		return "enclave";
	case CMD_TUNNEL:
		return "tunnel";
	case CMD_DEMO:
		return "demo";
	}
	return "";
}

static int complain(const struct daemon *d, const struct error *err)
{
	fprintf(stderr, "nitroproxy %s: %s\n", d->role, err->text);
	return 2;
}

/* What outlives the loop. */
static void close_rest(struct daemon *d)
{
	sockets_free(&d->sockets);
	log_count_dropped(NULL);
	crew_free(d->crew);
	settings_free(&d->settings);
	log_close();
}

/* True: this process is the role, or one worker of it. */
static bool fork_workers(struct daemon *d, const struct duties *duties, int *status)
{
	static const struct duties none = {.enclave = false};
	struct error err;
	const struct supervisor_config config = {.settings = &d->settings,
						 .crew = d->crew,
						 .sockets = &d->sockets,
						 .duties = duties ? duties : &none};
	d->line.ready_fd = -1;
	d->supervised = d->crew->count > 1 || config.duties->enclave ||
			(config.duties->app && d->settings.enclave.app.count);
	if (!d->supervised) {
		crew_join(d->crew, 0);
		return true;
	}
	if (!sockets_open_all(&d->sockets, &d->settings, &err)) {
		*status = daemon_failed(d, &err);
		return false;
	}
	confine_supervisor(&d->settings, config.duties->enclave);
	return supervise(&config, &d->line, status);
}

bool daemon_start(struct daemon *d, int argc, char **argv, enum command command, const struct duties *duties,
		  int *status)
{
	struct error err;
	memset(d, 0, sizeof *d);
	keep_standard_descriptors();
	mem_tune();
	d->role = role_name(command);
	enum settings_outcome outcome = settings_load(argc, argv, command, &d->settings, &err);
	*status = outcome == SETTINGS_ERROR ? complain(d, &err) : 0;
	if (outcome == SETTINGS_RUN)
		close_process();
	if (outcome == SETTINGS_RUN && !open_log(d, &err)) {
		*status = complain(d, &err);
		outcome = SETTINGS_ERROR;
	}
	if (outcome != SETTINGS_RUN) {
		settings_free(&d->settings);
		return false;
	}
	raise_descriptor_limit();
	if (command == CMD_TUNNEL)
		setenv("UV_THREADPOOL_SIZE", TUNNEL_THREADS, 0);
	setenv("UV_USE_IO_URING", "0", 1); /* whose calls no filter sees */
	log_start(d);
	sockets_init(&d->sockets);
	if (!entropy_start(&err))
		*status = daemon_failed(d, &err);
	else
		d->crew = crew_new(&d->settings, settings_workers(&d->settings));
	if (!d->crew || !fork_workers(d, duties, status)) {
		close_rest(d);
		return false;
	}
	d->loop = loop_new();
	d->term = loop_signal(d->loop, SIGTERM, on_end_signal, d);
	d->interrupt = loop_signal(d->loop, SIGINT, on_end_signal, d);
	d->reopen = loop_signal(d->loop, SIGUSR1, on_reopen_signal, d);
	if (d->supervised)
		worker_signals();
	return true;
}

struct listener *daemon_listen(struct daemon *d, const char *name, const char *address, listener_fn *fn,
			       void *arg, struct error *err)
{
	struct listening socket;
	if (d->supervised)
		sockets_borrow(&d->sockets, name, &socket);
	else if (!sockets_open(&d->sockets, name, address, &socket, err))
		return NULL;
	struct listener *li = listener_new(d->loop, &socket, fn, arg, err);
	if (li && d->crew->count > 1)
		listener_share(li, crew_turn, d->crew);
	return li;
}

int daemon_run(struct daemon *d, void (*drain)(void *arg), void *arg)
{
	struct error err;
	d->drain = drain;
	d->arg = arg;
	if (!confine(&d->settings, &err))
		return daemon_failed(d, &err);
	d->watchdog_ms = systemd_watchdog_ms() / 2;
	if (d->watchdog_ms)
		timer_start(d->loop, &d->watchdog, d->watchdog_ms, on_watchdog);
	crew_figures(d->crew)->serving = 1;
	if (d->supervised) {
		log_write(LOG_INFO, "worker", LOG_STR("state", "ready"), LOG_UINT("worker", d->crew->index),
			  LOG_INT("worker_pid", getpid()));
		worker_ready(&d->line);
	} else {
		systemd_notify("READY=1");
		log_write(LOG_INFO, "ready");
	}
	loop_run(d->loop);
	return 0;
}

int daemon_failed(struct daemon *d, const struct error *err)
{
	(void)d;
	log_write(LOG_ERROR, "start", LOG_ERR(err));
	return 1;
}

void daemon_end(struct daemon *d)
{
	timer_stop(d->loop, &d->drain_timer);
	timer_stop(d->loop, &d->watchdog);
	signal_stop(d->term);
	signal_stop(d->interrupt);
	signal(SIGTERM, SIG_IGN); /* one that comes now has its wish; the status stays what it is */
	signal(SIGINT, SIG_IGN);
	signal_stop(d->reopen);
	loop_free(d->loop);
	close_rest(d);
}

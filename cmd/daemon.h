/*
 * What every long-running role has in common: its process, its loop, its signals, its end.
 *
 *	int cmd_ROLE(int argc, char **argv)
 *	{
 *		struct daemon d;
 *		int status;
 *		if (!daemon_start(&d, argc, argv, CMD_ROLE, NULL, &status))
 *			return status; // --help, a wrong setting, or the supervisor has ended
 *		.. make the role on d.loop with d.settings; its sockets from daemon_listen ..
 *		if (ok)
 *			status = daemon_run(&d, on_drain, role);
 *		else
 *			status = daemon_failed(&d, &err);
 *		.. free the role ..
 *		daemon_end(&d);
 *		return status;
 *	}
 *
 *	            daemon_run          SIGTERM, SIGINT      daemon_drained, timeouts.drain,
 *	STARTING ---------------> UP ------------------> DRAINING ------------------------> over
 *	            READY=1               STOPPING=1                 or a second signal
 *
 * With a supervisor (supervisor.h) daemon_start forks: what follows it above runs in each worker, which hears
 * of the end from the supervisor alone.
 *
 * SIGUSR1 reopens the log, SIGHUP does nothing. Under systemd readiness, stopping and watchdog are told, and
 * sockets taken.
 */
#ifndef CMD_DAEMON_H
#define CMD_DAEMON_H

#include "base/loop.h"
#include "net/listener.h"
#include "proxy/crew.h"
#include "proxy/settings.h"
#include "supervisor.h"

struct daemon {
	struct loop *loop;
	struct settings settings;
	const char *role;  /* "host" */
	struct crew *crew; /* the workers of the role; mostly one */
	struct sockets sockets;
	struct worker_line line;
	bool supervised;
	struct signal_watch *term, *interrupt, *reopen;
	struct timer drain_timer, watchdog;
	uint64_t watchdog_ms; /* 0: systemd does not watch */
	void (*drain)(void *arg);
	void *arg;
	uint64_t told; /* how often it was told to end */
	bool draining;
};

/*
 * Settings, log, process (descriptor limit, umask 0077, no core dumps, not to be traced by its own user),
 * workers, loop, signals; says at start what is insecure. duties: of the supervisor, borrowed; NULL: none but
 * workers. False: *status is what to exit with; nothing to end then.
 */
bool daemon_start(struct daemon *d, int argc, char **argv, enum command command, const struct duties *duties,
		  int *status);

/* As sockets_open opens it, or one worker's part of what the supervisor has opened. NULL with err. */
struct listener *daemon_listen(struct daemon *d, const char *name, const char *address, listener_fn *fn,
			       void *arg, struct error *err);

/* Enters the sandbox, says READY and runs. drain: stop accepting, close what is idle, and call daemon_drained
 * when nothing runs.
 */
int daemon_run(struct daemon *d, void (*drain)(void *arg), void *arg);
/* Ends it in order, as SIGTERM does; why is for the log. Once more: at once. */
void daemon_drain(struct daemon *d, const char *why);
/* From the loop, also from within drain. */
void daemon_drained(struct daemon *d);

/* Logs why the role cannot start; the exit status for it. */
int daemon_failed(struct daemon *d, const struct error *err);
/* The role is gone: no watch, timer or job of its is left. */
void daemon_end(struct daemon *d);

#endif

/*
 * The process above the workers, where there is one: with more than one worker, with an application beside
 * the enclave's proxy, and as an enclave's first process. Else a role is one process and nothing of this
 * happens.
 *
 *	supervisor --fork--> worker 0 .. N-1     enter the sandbox, accept from the supervisor's sockets
 *	           --fork, exec--> application   as a user of its own, outside of the sandbox
 *
 *	STARTING ------------------> UP ------------------------> ENDING ----------------------> over
 *	  worker 0, then the others     SIGTERM, SIGINT, or the     no child is left, or
 *	  READY=1 when all serve        application was the end     timeouts.drain has passed
 *
 * A worker that ends before all were ready ends the start, as a role that cannot start does. One that ends
 * later is started again, with a growing pause (init/keep.h). Nobody's bytes are ever read here: what comes
 * in is signals, the ends of children, a counter of workers that are ready, and figures in shared memory.
 */
#ifndef CMD_SUPERVISOR_H
#define CMD_SUPERVISOR_H

#include "proxy/crew.h"
#include "sockets.h"

/* What a role has its supervisor do beside keeping workers; any of them may be NULL. */
struct duties {
	/* This is an enclave: a supervisor even for one worker; it is root, and needs little of that. */
	bool enclave;
	/* All workers serve, for the first time. */
	void (*ready)(void *arg);
	/* The application that is to run beside them; NULL: none. */
	struct app *(*app)(void *arg, const struct settings *s, uint64_t now_ms);
	/* Looks after the machine, and tells the workers of it. In how many milliseconds to come again. */
	uint64_t (*tend)(void *arg, struct crew_care *care);
	void *arg;
};

struct supervisor_config { /* all borrowed */
	const struct settings *settings;
	struct crew *crew;
	struct sockets *sockets; /* closed when no more connections are to come */
	const struct duties *duties;
};

/* For a worker: how it tells that it serves. */
struct worker_line {
	int ready_fd; /* an eventfd; -1: told */
};

/*
 * Forks. True in a worker, which has joined the crew and goes on to be the role; false in the supervisor,
 * once all is over: *status is what to exit with.
 */
bool supervise(const struct supervisor_config *config, struct worker_line *line, int *status);
/* From a worker whose handlers for the signals that the supervisor sends are in place. */
void worker_signals(void);
/* From a worker that serves. */
void worker_ready(struct worker_line *line);

#endif

/*
 * The enclave role's machine: what lib/init does, in its order, according to where we run.
 *
 *	as PID 1, or --init        all of it; the machine ends with us
 *	with an NSM, under an init   lo, entropy, clock: what AWS's init leaves undone; never the heartbeat
 *	anywhere else              nothing; the clock is only watched
 */
#ifndef CMD_ENCLAVE_MACHINE_H
#define CMD_ENCLAVE_MACHINE_H

#include "init/app.h"
#include "init/timekeeper.h"
#include "proxy/enclave.h"
#include "proxy/settings.h"

struct enclave_machine {
	bool first; /* we are the init */
	struct timekeeper *time;
	struct app *app;
	struct log_ring *lines; /* the host fetches them: an enclave has no console in production */
	char proxy[64];		/* for the application's environment */
};

/* Before anything else of the process. */
void enclave_machine_begin(struct enclave_machine *m, int argc, char **argv);
/* Clock; and what the enclave wants to know of it. */
void enclave_machine_watch(struct enclave_machine *m, struct loop *l, struct enclave *e);
/* All listeners listen: the heartbeat and the application. on_end: the application's end is the enclave's. */
void enclave_machine_ready(struct enclave_machine *m, struct loop *l, const struct settings *s,
			   void (*on_end)(void *arg, int status), void *arg);
void enclave_machine_stop_app(struct enclave_machine *m);
void enclave_machine_free(struct enclave_machine *m); /* before the loop goes */
/* The last thing the process does; does not return as the first process. */
void enclave_machine_end(struct enclave_machine *m);

#endif

/*
 * The enclave role's machine: what lib/init does, in its order, according to where we run.
 *
 *	as PID 1, or --init        all of it; the machine ends with us
 *	with an NSM, under an init   lo, entropy, clock: what AWS's init leaves undone; never the heartbeat
 *	anywhere else              nothing
 *
 * In an enclave there is always a supervisor: it has the rights that a first process and a clock need, and
 * the workers, who have the connections, have not.
 */
#ifndef CMD_ENCLAVE_MACHINE_H
#define CMD_ENCLAVE_MACHINE_H

#include "init/timekeeper.h"
#include "proxy/enclave.h"
#include "supervisor.h"

struct enclave_machine {
	bool first;		 /* we are the init */
	bool nsm;		 /* there is a Nitro Security Module: this is an enclave */
	struct timekeeper *time; /* the supervisor's; NULL until it looks for the first time */
	uint64_t looked_ms;
	struct log_ring *lines; /* the host fetches them: an enclave has no console in production */
	char proxy[64];		/* for the application's environment */
	struct crew *crew;	/* borrowed */
};

/* Before anything else of the process. */
void enclave_machine_begin(struct enclave_machine *m, int argc, char **argv);
/* For the supervisor: heartbeat, application, clock. */
struct duties enclave_machine_duties(struct enclave_machine *m);
/* For a worker: what the enclave wants to know of the machine. */
void enclave_machine_surround(struct enclave_machine *m, struct enclave *e, struct crew *crew);
/* The last thing the process does; does not return as the first process. */
void enclave_machine_end(struct enclave_machine *m);

#endif

/*
 * A process that is kept running: when it is due to be started, and started again, with a pause that doubles
 * from a quarter of a second to half a minute while it does not live for a minute.
 *
 *	DUE --started--> RUNNING --ended--> WAITING --pause over--> DUE        --let_go--> never due again
 *
 * What the process is and how it is started is its owner's business. Times are milliseconds of any clock that
 * does not go back.
 */
#ifndef INIT_KEEP_H
#define INIT_KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KEEP_PAUSE_MIN_MS 250
#define KEEP_PAUSE_MAX_MS 30000
#define KEEP_STEADY_MS	  60000 /* who lived so long begins with the shortest pause again */

#define KEEP_NEVER UINT64_MAX

struct keep {
	pid_t pid; /* 0: does not run */
	uint64_t started_ms, due_ms, pause_ms;
	uint64_t starts;
	bool let_go;
};

void keep_init(struct keep *k, uint64_t now_ms); /* due at once */
/* In how many milliseconds it is due; KEEP_NEVER while it runs, or for good. */
uint64_t keep_due_in(const struct keep *k, uint64_t now_ms);
/* pid < 0: fork has failed; as if it had ended at once, after the longest pause. */
void keep_started(struct keep *k, pid_t pid, uint64_t now_ms);
/* The pause until it is due again; KEEP_NEVER when it was let go. */
uint64_t keep_ended(struct keep *k, uint64_t now_ms);
void keep_let_go(struct keep *k);

#endif

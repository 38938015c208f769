/*
 * A run of the checks from settings to report: --local's processes and origins, waiting until the proxy is
 * there, the checks.
 */
#ifndef DEMO_RUN_H
#define DEMO_RUN_H

#include "base/loop.h"
#include "demo/report.h"
#include "proxy/settings.h"

struct run;

struct run_events {
	/* A check begins; or, with count 0, what is waited for before the first one. */
	void (*on_progress)(void *arg, size_t index, size_t count, const char *what);
	/* The report is complete; or err: the checks could not run. Once, unless run_free comes first. */
	void (*on_end)(void *arg, const struct error *err);
	void *arg;
};

/* All borrowed. NULL: err. */
struct run *run_start(struct loop *l, const struct settings *s, const struct run_events *events,
		      struct report *report, struct error *err);
/* Ends everything that was started, processes too. NULL is fine. */
void run_free(struct run *r);

#endif

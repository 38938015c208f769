/*
 * The checks: one after the other, each a few requests through the proxy and a verdict.
 *
 * To add one: a row in the table of checks.c and a function that ends in checks_pass, _fail or _skip.
 */
#ifndef DEMO_CHECKS_H
#define DEMO_CHECKS_H

#include "base/text_list.h"
#include "demo/fetch.h"
#include "demo/origin.h"
#include "demo/report.h"

struct checks_options {
	struct fetcher *fetcher; /* borrowed */
	/* URLs; borrowed. Of endpoints, one without a path is a service that echoes as httpbin does; the
	 * others are JSON objects to look up. */
	const struct text_list *endpoints, *refused, *denied;
	const struct origin *const
		*unheard; /* local origins that must get no request; NULL-terminated, or NULL */
	uint64_t timeout_ms;
	uint32_t concurrent;
	unsigned samples; /* of the check of requests in a row */
	void (*on_begin)(void *arg, size_t index, size_t count, const char *title);
	void (*on_end)(void *arg); /* all have run */
	void *arg;
};

struct checks;

/* options and report are borrowed; the report's checks and what they measure are written as they run. */
struct checks *checks_start(const struct checks_options *options, struct report *report);
void checks_free(struct checks *c); /* also while they run; NULL is fine */

#endif

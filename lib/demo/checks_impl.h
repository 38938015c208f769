/* For those who write a check. */
#ifndef DEMO_CHECKS_IMPL_H
#define DEMO_CHECKS_IMPL_H

#include <jansson.h>

#include "demo/checks.h"

typedef void checks_answer_fn(struct checks *c, const struct fetch_result *result);

struct checks {
	struct checks_options o;
	struct loop *loop;
	struct report *report;
	size_t index; /* of the check that runs */
	struct report_check *now;
	uint64_t started;
	struct task next;
	char *echo;	    /* owned: "https://httpbin.org"; NULL: no endpoint echoes */
	const char *lookup; /* borrowed; NULL: none */
	bool own_origin;    /* echo is an origin of ours (demo/origin.h) */
	struct fetch *fetch;
	checks_answer_fn *answer;
	struct crowd *crowd; /* owned: of the check of concurrency */
	/* for the check that runs */
	struct buf url, body;
	size_t step;
	uint8_t sha256[32];
};

/* A URL that lasts until the next call. */
const char *checks_url(struct checks *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One request; its answer is noted in the report before fn sees it. */
void checks_fetch(struct checks *c, const struct fetch_request *r, checks_answer_fn *fn);
void checks_note(struct checks *c, const struct fetch_request *r);
void checks_measure(struct checks *c, const struct fetch_result *result);

/* Ends of a check; the next one begins from the loop. */
void checks_pass(struct checks *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void checks_skip(struct checks *c, const char *why);
void checks_fail(struct checks *c, enum hop hop, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* It is a whole answer with that status; otherwise the check has failed, with hop and remedy. */
bool checks_good(struct checks *c, const struct fetch_result *result, int status);
/* The answer is a JSON object; NULL: the check has failed. To be freed with json_decref. */
json_t *checks_object(struct checks *c, const struct fetch_result *result);
/* Skips the check when no endpoint echoes. */
bool checks_have_echo(struct checks *c);

typedef void check_fn(struct checks *c);

check_fn check_get, check_post, check_headers, check_lookup, check_forms, check_connect; /* check_basic.c */
check_fn check_download, check_upload, check_chunked;					 /* check_body.c */
check_fn check_concurrent, check_row;							 /* check_load.c */
check_fn check_certificate, check_denied;						 /* check_refusal.c */

/* Frees what a crowd holds; NULL is fine. */
void crowd_free(struct crowd *crowd);

#endif

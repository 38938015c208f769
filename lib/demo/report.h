/*
 * What a run of the checks has shown, and how it is told: one model, four writers.
 *
 *	report_text    a table for people             report_html    one page, nothing to load
 *	report_json    for programs; report.md        report_junit   for CI
 */
#ifndef DEMO_REPORT_H
#define DEMO_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum verdict { VERDICT_PASSED, VERDICT_FAILED, VERDICT_SKIPPED };

/*
 * Where the time of one request went, in microseconds. The stages follow one another and make up the
 * total; those that nobody told are in the stage that holds them: without a trace everything between the
 * request and its answer is STAGE_PROXY.
 */
enum stage {
	STAGE_CONNECT, /* to the proxy */
	STAGE_PROXY,   /* host, and the way between it and the enclave */
	STAGE_ENCLAVE, /* policy, rewriting, queues */
	STAGE_TUNNEL,  /* name, connect, the way to the tunnel */
	STAGE_TLS,     /* handshake and certificate; with CONNECT, the client's own */
	STAGE_SERVICE, /* until its answer began */
	STAGE_BODY,    /* until its answer was complete */
	STAGE_COUNT
};

const char *stage_name(enum stage stage);  /* "tunnel": in JSON */
const char *stage_title(enum stage stage); /* "Tunnel": for people */

struct report_check {
	const char *id, *title; /* static: "get", "GET" */
	const char *question;	/* static: what it finds out, a sentence */
	enum verdict verdict;
	char detail[300];  /* what happened */
	enum hop hop;	   /* of a failure */
	char remedy[300];  /* of a failure: what to do */
	char request[300]; /* "GET https://.." */
	int status;	   /* HTTP; 0: none */
	uint64_t us;	   /* the whole check */
	bool timed;	   /* stages are set */
	uint64_t stages[STAGE_COUNT];
	uint64_t bytes;	 /* of the body, up or down; 0: not of interest */
	char sha256[65]; /* of it; "" likewise */
};

#define REPORT_CHECKS  24
#define REPORT_SAMPLES 1000

/* What is known about a TLS connection; "" is unknown. */
struct report_tls {
	char protocol[16], cipher[64], subject[128];
	bool unverified; /* nobody checked the certificate */
};

/* When a request of the concurrency check began and ended, microseconds after the first began. */
struct report_span {
	uint32_t from, to;
};

struct report {
	char when[32]; /* "2026-01-02T03:04:05Z" */
	const char *version;
	char proxy[300];
	char service[300];	   /* the one that most requests went to */
	bool local;		   /* everything was started for the run */
	bool traced;		   /* the proxy told its stages */
	char health[400];	   /* one line: what the proxy says about itself */
	bool insecure;		   /* it says that its configuration is not secure */
	struct report_tls tls;	   /* of the enclave with the service */
	struct report_tls own_tls; /* of the client with the service, through CONNECT */
	uint64_t us;
	struct report_check checks[REPORT_CHECKS];
	size_t count;
	uint32_t samples[REPORT_SAMPLES]; /* microseconds, in order */
	size_t sample_count;
	struct report_span spans[REPORT_SAMPLES];
	size_t span_count;
};

unsigned report_number(const struct report *r, enum verdict verdict); /* how many of these */
/* p of 0..100 of n values; 0 when there are none. */
uint32_t report_percentile(const uint32_t *values, size_t n, unsigned p);

/* By the file's ending: .txt .json .html .xml. err: ERR_CONFIG for another one, or what writing ran into. */
bool report_write(const struct report *r, const char *path, struct error *err);
/* Is the ending one of these? To be asked before an hour of checks, not behind it. */
bool report_path_ok(const char *path, struct error *err);

void report_text(const struct report *r, bool colour, FILE *out);
void report_json(const struct report *r, FILE *out);
void report_html(const struct report *r, FILE *out);
void report_junit(const struct report *r, FILE *out);

/* ---- for the writers ---- */

const char *verdict_name(enum verdict verdict); /* "passed" */
/* "1.25 ms", "6.3 s": three digits. */
#define DURATION_MAX 24
const char *duration_text(uint64_t us, char out[DURATION_MAX]);
const char *size_text(uint64_t bytes, char out[DURATION_MAX]); /* "64 MiB" */
/* For XML and HTML, text and attributes alike: & < > " ' and what XML 1.0 has no place for. */
void markup_text(FILE *out, const char *text);

#endif

/* Many requests: at the same time, and one behind the other. */
#include <stdlib.h>

#include "base/mem.h"
#include "demo/checks_impl.h"
#include "proxy/exchange.h"

/* ---- at the same time ---- */

struct member {
	struct checks *checks;
	struct fetch *fetch;
	size_t index;
};

struct crowd {
	size_t count, left;
	uint64_t busy_us; /* of all together */
	bool failed;
	struct member members[];
};

void crowd_free(struct crowd *crowd)
{
	for (size_t i = 0; crowd && i < crowd->count; i++)
		if (crowd->members[i].fetch)
			fetch_cancel(crowd->members[i].fetch);
	free(crowd);
}

/*
 * The service holds each request for a second. If they went one behind the other it would take as many
 * seconds as requests; the sum of their times over the time of all is how many there were at a time.
 */
static void judge(struct checks *c)
{
	const struct crowd *crowd = c->crowd;
	uint64_t wall = monotonic_us() - c->started;
	double at_a_time = wall ? (double)crowd->busy_us / (double)wall : 0;
	char time[DURATION_MAX];
	duration_text(wall, time);
	if (crowd->count > 1 && at_a_time < (double)crowd->count / 2)
		checks_fail(c, HOP_HOST,
			    "Requests waited for one another: see limits.enclave_connections, "
			    "limits.connections_per_target and limits.client_rate.",
			    "%zu requests of a second each took %s, %.1f at a time", crowd->count, time,
			    at_a_time);
	else
		checks_pass(c, "%zu requests that the service held for a second each took %s: %.1f at a time",
			    crowd->count, time, at_a_time);
}

static void on_member(void *arg, const struct fetch_result *r)
{
	struct member *m = arg;
	struct checks *c = m->checks;
	struct crowd *crowd = c->crowd;
	m->fetch = NULL;
	crowd->left--;
	crowd->busy_us += r->done - r->started;
	if (m->index < REPORT_SAMPLES) {
		c->report->spans[m->index] = (struct report_span){(uint32_t)(r->started - c->started),
								  (uint32_t)(r->done - c->started)};
		if (c->report->span_count <= m->index)
			c->report->span_count = m->index + 1;
	}
	checks_measure(c, r);
	if (!crowd->failed && !checks_good(c, r, 200)) {
		crowd->failed = true;
		for (size_t i = 0; i < crowd->count; i++) {
			if (crowd->members[i].fetch)
				fetch_cancel(crowd->members[i].fetch);
			crowd->members[i].fetch = NULL;
		}
	} else if (crowd->left == 0) {
		judge(c);
	}
}

void check_concurrent(struct checks *c)
{
	if (!checks_have_echo(c))
		return;
	struct fetch_request r = {.form = FETCH_PATH,
				  .method = "GET",
				  .url = checks_url(c, "%s/delay/1", c->echo),
				  .timeout_ms = c->o.timeout_ms};
	size_t n = c->o.concurrent;
	struct crowd *crowd = mem_zero(sizeof *crowd + n * sizeof crowd->members[0]);
	c->crowd = crowd;
	crowd->count = crowd->left = n;
	checks_note(c, &r);
	for (size_t i = 0; i < n; i++) {
		crowd->members[i] = (struct member){.checks = c, .index = i};
		crowd->members[i].fetch = fetch_start(c->o.fetcher, &r, on_member, &crowd->members[i]);
	}
}

/* ---- in a row ---- */

#define ROW_US 3000000 /* a slow service gets fewer */

static void next_in_row(struct checks *c);

static void on_row(struct checks *c, const struct fetch_result *r)
{
	struct report *report = c->report;
	char half[DURATION_MAX], most[DURATION_MAX];
	if (!checks_good(c, r, 200))
		return;
	/* The first one, and any behind a connection that was not kept, would measure connecting. */
	if (r->reused && report->sample_count < REPORT_SAMPLES)
		report->samples[report->sample_count++] = (uint32_t)(r->done - r->started);
	c->step++;
	if (c->step <= c->o.samples && monotonic_us() - c->started < ROW_US) {
		next_in_row(c);
		return;
	}
	if (report->sample_count + 1 < c->step) {
		checks_fail(c, HOP_HOST,
			    "The proxy closed connections between requests: see timeouts.client_idle.",
			    "only %zu of %zu requests found the connection kept", report->sample_count,
			    c->step - 1);
		return;
	}
	duration_text(report_percentile(report->samples, report->sample_count, 50), half);
	duration_text(report_percentile(report->samples, report->sample_count, 99), most);
	checks_pass(c, "%zu requests on one kept connection: half of them within %s, 99 %% within %s",
		    report->sample_count, half, most);
}

static void next_in_row(struct checks *c)
{
	struct fetch_request r = {.form = FETCH_PATH,
				  .method = "GET",
				  .url = checks_url(c, "%s/get", c->echo),
				  .keep = true,
				  .timeout_ms = c->o.timeout_ms};
	checks_fetch(c, &r, on_row);
}

void check_row(struct checks *c)
{
	if (checks_have_echo(c))
		next_in_row(c);
}

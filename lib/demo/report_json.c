/* The schema is described in report.md; a change that breaks readers raises SCHEMA. */
#include <jansson.h>

#include "demo/report.h"

#define SCHEMA 1

/* Milliseconds with three places: exact, and short in print. */
static json_t *ms(uint64_t us)
{
	return json_real((double)us / 1000);
}

static json_t *text_or_null(const char *text)
{
	json_t *value = text[0] ? json_string(text) : NULL;
	return value ? value : json_null();
}

static json_t *tls(const struct report_tls *t)
{
	if (!t->protocol[0])
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:b}", "protocol", text_or_null(t->protocol), "cipher",
			 text_or_null(t->cipher), "subject", text_or_null(t->subject), "verified",
			 !t->unverified);
}

static json_t *stages(const struct report_check *c)
{
	json_t *object = json_object();
	for (int i = 0; i < STAGE_COUNT; i++)
		json_object_set_new(object, stage_name(i), ms(c->stages[i]));
	return object;
}

static json_t *check(const struct report_check *c)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "id", c->id, "title", c->title, "question",
			      c->question, "verdict", verdict_name(c->verdict), "detail",
			      text_or_null(c->detail), "ms", ms(c->us));
	bool failed = c->verdict == VERDICT_FAILED;
	json_object_set_new(o, "hop", failed && c->hop ? json_string(hop_name(c->hop)) : json_null());
	json_object_set_new(o, "remedy", failed ? text_or_null(c->remedy) : json_null());
	json_object_set_new(o, "request", text_or_null(c->request));
	json_object_set_new(o, "status", c->status ? json_integer(c->status) : json_null());
	json_object_set_new(o, "stages_ms", c->timed ? stages(c) : json_null());
	json_object_set_new(o, "bytes", c->bytes ? json_integer((json_int_t)c->bytes) : json_null());
	json_object_set_new(o, "sha256", text_or_null(c->sha256));
	return o;
}

static json_t *latency(const struct report *r)
{
	if (!r->sample_count)
		return json_null();
	json_t *samples = json_array();
	for (size_t i = 0; i < r->sample_count; i++)
		json_array_append_new(samples, ms(r->samples[i]));
	return json_pack("{s:o, s:o, s:o, s:o}", "p50_ms",
			 ms(report_percentile(r->samples, r->sample_count, 50)), "p90_ms",
			 ms(report_percentile(r->samples, r->sample_count, 90)), "p99_ms",
			 ms(report_percentile(r->samples, r->sample_count, 99)), "samples_ms", samples);
}

static json_t *concurrency(const struct report *r)
{
	json_t *spans = json_array();
	for (size_t i = 0; i < r->span_count; i++)
		json_array_append_new(spans, json_pack("[o, o]", ms(r->spans[i].from), ms(r->spans[i].to)));
	return spans;
}

void report_json(const struct report *r, FILE *out)
{
	json_t *checks = json_array();
	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(checks, check(&r->checks[i]));
	json_t *o = json_pack("{s:i, s:s, s:s, s:o, s:o, s:b, s:b, s:o, s:b}", "schema", SCHEMA, "version",
			      r->version, "when", r->when, "proxy", text_or_null(r->proxy), "service",
			      text_or_null(r->service), "local", r->local, "traced", r->traced, "health",
			      text_or_null(r->health), "insecure", r->insecure);
	json_object_set_new(o, "ms", ms(r->us));
	json_object_set_new(o, "summary",
			    json_pack("{s:i, s:i, s:i}", "passed", (int)report_number(r, VERDICT_PASSED),
				      "failed", (int)report_number(r, VERDICT_FAILED), "skipped",
				      (int)report_number(r, VERDICT_SKIPPED)));
	json_object_set_new(o, "tls",
			    json_pack("{s:o, s:o}", "enclave", tls(&r->tls), "client", tls(&r->own_tls)));
	json_object_set_new(o, "checks", checks);
	json_object_set_new(o, "latency", latency(r));
	json_object_set_new(o, "concurrent_ms", concurrency(r));
	json_dumpf(o, out, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(o);
}

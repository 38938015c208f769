#include "demo/fetch_facts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "proxy/trace.h"

/* Whatever it holds, afterwards it is text that can be shown. */
static void keep(char *out, size_t room, struct span text)
{
	size_t n = text.n < room - 1 ? text.n : room - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?');
	out[n] = 0;
}

/* "name;dur=1.25": microseconds, 0 when it is something else. */
static uint64_t duration_of(struct span metric)
{
	char text[32];
	struct span part;
	while (span_cut(&metric, ';', &part)) {
		part = span_trim(part);
		if (!span_starts(part, SPAN("dur=")))
			continue;
		keep(text, sizeof text, span_from(part, 4));
		double ms = strtod(text, NULL);
		return ms > 0 && ms < 1e9 ? (uint64_t)(ms * 1000 + 0.5) : 0;
	}
	return 0;
}

/* A service may send such fields, too. Ours stand behind them, and begin with the enclave's. */
static void timing(struct fetch_facts *f, const struct head *h)
{
	const struct {
		const char *name;
		uint64_t *us;
	} metrics[] = {{"host", &f->host_us},
		       {"enclave", &f->enclave_us},
		       {"tunnel", &f->tunnel_us},
		       {"tls", &f->tls_us},
		       {"service", &f->service_us}};
	struct head_list it = {0};
	struct span metric;
	while (head_list_next(h, "Server-Timing", &it, &metric)) {
		struct span rest = metric, name = {"", 0};
		span_cut(&rest, ';', &name);
		if (span_is(span_trim(name), SPAN("enclave")))
			f->tunnel_us = f->tls_us = f->service_us = 0;
		for (size_t i = 0; i < countof(metrics); i++)
			if (span_is(span_trim(name), span_of(metrics[i].name)))
				*metrics[i].us = duration_of(metric);
	}
}

/* The inside of name="..", or an empty text. */
static void quoted(struct span facts, const char *name, char *out, size_t room)
{
	char plain[256];
	size_t n = 0;
	const char *at = memmem(facts.p, facts.n, name, strlen(name));
	if (at)
		for (at += strlen(name); at < facts.p + facts.n && *at != '"' && n < sizeof plain; at++) {
			if (*at == '\\' && at + 1 < facts.p + facts.n)
				at++;
			plain[n++] = *at;
		}
	keep(out, room, (struct span){plain, n});
}

static void tls(struct fetch_facts *f, struct span facts)
{
	struct span rest = facts, protocol = {"", 0};
	span_cut(&rest, ';', &protocol);
	keep(f->tls.protocol, sizeof f->tls.protocol, protocol);
	quoted(facts, "cipher=\"", f->tls.cipher, sizeof f->tls.cipher);
	quoted(facts, "subject=\"", f->tls.subject, sizeof f->tls.subject);
	f->tls.resumed = !f->tls.subject[0];
}

void facts_of_head(struct fetch_facts *f, const struct head *h)
{
	const struct field *field = head_find(h, "Server");
	if (field)
		keep(f->server, sizeof f->server, field->value);
	field = head_find(h, "Content-Type");
	f->problem_follows =
		h->status >= 400 && field && span_is(field->value, SPAN("application/problem+json"));
	f->unverified = head_find(h, "X-Nitroproxy-Insecure") != NULL;
	timing(f, h);
	field = head_find(h, TRACE_TLS_FIELD);
	if (field)
		tls(f, field->value);
}

static void member(const json_t *object, const char *name, char *out, size_t room)
{
	const json_t *value = json_object_get(object, name);
	if (json_is_string(value))
		keep(out, room, (struct span){json_string_value(value), json_string_length(value)});
}

void facts_of_problem(struct fetch_facts *f, struct span body)
{
	json_t *problem = json_loadb(body.p, body.n, 0, NULL);
	member(problem, "kind", f->problem.kind, sizeof f->problem.kind);
	member(problem, "hop", f->problem.hop, sizeof f->problem.hop);
	member(problem, "detail", f->problem.detail, sizeof f->problem.detail);
	json_decref(problem);
}

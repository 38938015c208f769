#include "proxy/trace.h"

#include <stdio.h>

bool trace_asked(const struct head *request)
{
	const struct field *f = head_find(request, TRACE_FIELD);
	return f && span_is(f->value, SPAN("1"));
}

static double ms(uint64_t us)
{
	return (double)us / 1000;
}

/* A head that is full goes without: an answer is worth more than its times. */
static void add(struct head *h, const char *name, const char *text)
{
	head_add(h, span_of(name), span_of(text));
}

void trace_tell_host(struct trace *t, struct head *response, uint64_t us)
{
	snprintf(t->timing, sizeof t->timing, "host;dur=%.3f", ms(us));
	add(response, "Server-Timing", t->timing);
}

/* The subject is a stranger's text: within the quotes of an RFC 9110 quoted-string it stays one. */
static void quote(char *out, size_t room, const char *text)
{
	size_t n = 0;
	for (; *text && n + 3 < room; text++) {
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = (char)(*text >= ' ' && *text <= '~' ? *text : '?');
	}
	out[n] = 0;
}

static void tell_tls(struct trace *t, struct head *response)
{
	char subject[2 * sizeof t->tls.subject];
	quote(subject, sizeof subject, t->tls.has_certificate ? t->tls.subject : "");
	int n = snprintf(t->facts, sizeof t->facts, "%s; cipher=\"%s\"", t->tls.protocol, t->tls.cipher);
	if (t->tls.resumed)
		snprintf(t->facts + n, sizeof t->facts - (size_t)n, "; resumed");
	else
		snprintf(t->facts + n, sizeof t->facts - (size_t)n, "; subject=\"%s\"", subject);
	add(response, TRACE_TLS_FIELD, t->facts);
}

void trace_tell_enclave(struct trace *t, struct head *response, uint64_t us, uint64_t service_us)
{
	int n = snprintf(t->timing, sizeof t->timing, "enclave;dur=%.3f", ms(us));
	if (t->tunnel_us)
		n += snprintf(t->timing + n, sizeof t->timing - (size_t)n, ", tunnel;dur=%.3f",
			      ms(t->tunnel_us));
	if (t->tls_us)
		n += snprintf(t->timing + n, sizeof t->timing - (size_t)n, ", tls;dur=%.3f", ms(t->tls_us));
	snprintf(t->timing + n, sizeof t->timing - (size_t)n, ", service;dur=%.3f", ms(service_us));
	head_remove(response, TRACE_TLS_FIELD); /* a service that plays the proxy */
	add(response, "Server-Timing", t->timing);
	if (t->secure)
		tell_tls(t, response);
}

/* The enclave is ours, but the host's log and metrics are read by programs: what they get is checked for
 * shape. */
#include "proxy/signals.h"

static bool printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] == 0x7f)
			return false;
	return true;
}

static bool starts(struct span *s, struct span with)
{
	if (!span_starts(*s, with))
		return false;
	*s = span_from(*s, with.n);
	return true;
}

/* "2026-01-02T03:04:05.678Z" */
static bool skip_time(struct span *s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	if (s->n < sizeof form - 1)
		return false;
	for (size_t i = 0; i < sizeof form - 1; i++) {
		bool digit = s->p[i] >= '0' && s->p[i] <= '9';
		if (form[i] == 'd' ? !digit : s->p[i] != form[i])
			return false;
	}
	*s = span_from(*s, sizeof form - 1);
	return true;
}

static bool skip_word(struct span *s)
{
	size_t n = 0;
	while (n < s->n && s->p[n] >= 'a' && s->p[n] <= 'z')
		n++;
	*s = span_from(*s, n);
	return n > 0;
}

bool signals_line_good(struct span line)
{
	if (!printable(line))
		return false;
	struct span s = line;
	if (starts(&s, SPAN("time=")))
		return skip_time(&s) && starts(&s, SPAN(" level=")) && skip_word(&s) &&
		       span_starts(s, SPAN(" role=enclave msg="));
	return starts(&s, SPAN("{\"time\":\"")) && skip_time(&s) && starts(&s, SPAN("\",\"level\":\"")) &&
	       skip_word(&s) && span_starts(s, SPAN("\",\"role\":\"enclave\",\"msg\":\"")) &&
	       s.p[s.n - 1] == '}';
}

static bool metrics_line_good(struct span s)
{
	if (starts(&s, SPAN("# HELP ")) || starts(&s, SPAN("# TYPE ")))
		return span_starts(s, SPAN("nitroproxy_"));
	size_t name = 0;
	while (name < s.n && ((s.p[name] >= 'a' && s.p[name] <= 'z') || s.p[name] == '_'))
		name++;
	return span_starts(s, SPAN("nitroproxy_")) &&
	       span_starts(span_from(s, name), SPAN("{role=\"enclave\""));
}

bool signals_metrics_good(struct span text)
{
	struct span line;
	while (text.n && span_cut(&text, '\n', &line))
		if (!printable(line) || !metrics_line_good(line))
			return false;
	return true;
}

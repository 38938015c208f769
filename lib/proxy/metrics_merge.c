/*
 * Two expositions as one: a family's HELP and TYPE may stand only once, with all its samples behind them
 * (Prometheus text format 0.0.4), so those of the second go behind those of the first.
 */
#include "proxy/metrics.h"

/* The family that begins at the front of *rest: its two describing lines, its samples, its name. */
struct family {
	struct span name, described, samples;
};

static bool next_family(struct span *rest, struct family *f)
{
	const struct span help = SPAN("# HELP "), type = SPAN("# TYPE ");
	if (!span_starts(*rest, help))
		return false;
	*f = (struct family){.name = span_from(*rest, help.n)};
	struct span line, left = f->name, after;
	span_cut(&left, ' ', &f->name);
	left = *rest;
	f->described.p = rest->p;
	do { /* HELP and TYPE; then samples, up to the next HELP */
		after = left;
		if (!span_cut(&left, '\n', &line))
			break;
		if (span_starts(line, help) && line.p != rest->p) {
			left = after;
			break;
		}
		if (span_starts(line, help) || span_starts(line, type))
			f->described.n = (size_t)(line.p + line.n + 1 - f->described.p);
	} while (left.n);
	f->samples.p = f->described.p + f->described.n;
	const char *end = left.p ? left.p : rest->p + rest->n;
	f->samples.n = end > f->samples.p ? (size_t)(end - f->samples.p) : 0;
	*rest = (struct span){end, (size_t)(rest->p + rest->n - end)};
	return true;
}

static bool find(struct span text, struct span name, struct family *f)
{
	while (next_family(&text, f))
		if (span_is(f->name, name))
			return true;
	return false;
}

void metrics_merge(struct span first, struct span second, struct buf *out)
{
	struct family f, other;
	struct span rest = first;
	while (next_family(&rest, &f)) {
		buf_add_span(out, f.described);
		buf_add_span(out, f.samples);
		if (find(second, f.name, &other))
			buf_add_span(out, other.samples);
	}
	rest = second;
	while (next_family(&rest, &f)) {
		if (find(first, f.name, &other))
			continue;
		buf_add_span(out, f.described);
		buf_add_span(out, f.samples);
	}
}

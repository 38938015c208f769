#include <string.h>

#include "demo/report.h"

#define GREEN "\033[32m"
#define RED   "\033[31m"
#define DIM   "\033[2m"
#define BOLD  "\033[1m"
#define PLAIN "\033[0m"

struct pen {
	FILE *out;
	bool colour;
};

static void put(const struct pen *p, const char *code, const char *text)
{
	fprintf(p->out, "%s%s%s", p->colour ? code : "", text, p->colour ? PLAIN : "");
}

/* Within width columns, a word at a time, each line behind indent blanks. */
static void put_wrapped(FILE *out, const char *text, int indent, int width)
{
	int column = 0;
	while (*text) {
		int n = (int)strcspn(text, " ");
		if (column && column + 1 + n > width) {
			fputc('\n', out);
			column = 0;
		}
		if (column)
			fputc(' ', out), column++;
		else
			fprintf(out, "%*s", indent, "");
		fprintf(out, "%.*s", n, text);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void put_stages(const struct pen *p, const struct report_check *c)
{
	char line[400] = "", time[DURATION_MAX];
	size_t n = 0;
	for (int i = 0; i < STAGE_COUNT; i++)
		if (c->stages[i])
			n += (size_t)snprintf(line + n, sizeof line - n, "%s%s %s", n ? " · " : "",
					      stage_name(i), duration_text(c->stages[i], time));
	if (!n)
		return;
	fputs("         ", p->out);
	put(p, DIM, line);
	fputc('\n', p->out);
}

/* told: what the failure before this one advised, which need not be said twice. */
static void put_check(const struct pen *p, const struct report_check *c, const char *told)
{
	char time[DURATION_MAX];
	const char *mark = c->verdict == VERDICT_PASSED	  ? "pass"
			   : c->verdict == VERDICT_FAILED ? "FAIL"
							  : "skip";
	fputs("  ", p->out);
	put(p, c->verdict == VERDICT_PASSED ? GREEN : c->verdict == VERDICT_FAILED ? RED : DIM, mark);
	fputs("   ", p->out);
	put(p, BOLD, c->title);
	/* The micro sign takes two bytes and one column. */
	const char *text = duration_text(c->us, time);
	int wide = strstr(text, "µ") ? 1 : 0;
	fprintf(p->out, "%*s\n", 84 - (int)strlen(c->title) + wide, text);
	put_wrapped(p->out, c->detail, 9, 84);
	if (c->timed)
		put_stages(p, c);
	if (c->verdict != VERDICT_FAILED)
		return;
	fprintf(p->out, "         where       %s\n", c->hop ? hop_name(c->hop) : "unknown");
	if (told && strcmp(told, c->remedy) == 0) {
		fputs("         what to do  as above\n", p->out);
		return;
	}
	fputs("         what to do\n", p->out);
	put_wrapped(p->out, c->remedy, 11, 82);
}

static void put_summary(const struct pen *p, const struct report *r)
{
	char time[DURATION_MAX], line[160];
	unsigned failed = report_number(r, VERDICT_FAILED), skipped = report_number(r, VERDICT_SKIPPED);
	int n = snprintf(line, sizeof line, "%u of %zu checks passed", report_number(r, VERDICT_PASSED),
			 r->count);
	if (failed)
		n += snprintf(line + n, sizeof line - (size_t)n, ", %u failed", failed);
	if (skipped)
		n += snprintf(line + n, sizeof line - (size_t)n, ", %u skipped", skipped);
	snprintf(line + n, sizeof line - (size_t)n, " in %s", duration_text(r->us, time));
	fputs("\n  ", p->out);
	put(p, failed ? RED : GREEN, line);
	fputs("\n", p->out);
}

static void put_latency(const struct report *r, FILE *out)
{
	char a[DURATION_MAX], b[DURATION_MAX], c[DURATION_MAX];
	if (!r->sample_count)
		return;
	fprintf(out, "  latency    median %s, 90 %% within %s, 99 %% within %s, of %zu requests\n",
		duration_text(report_percentile(r->samples, r->sample_count, 50), a),
		duration_text(report_percentile(r->samples, r->sample_count, 90), b),
		duration_text(report_percentile(r->samples, r->sample_count, 99), c), r->sample_count);
}

void report_text(const struct report *r, bool colour, FILE *out)
{
	struct pen p = {out, colour};
	fprintf(out, "nitroproxy %s demo, %s\n\n", r->version, r->when);
	fprintf(out, "  proxy      %s%s\n", r->proxy, r->local ? " (started for this run)" : "");
	fprintf(out, "  service    %s\n", r->service);
	if (r->health[0])
		fprintf(out, "  health     %s\n", r->health);
	if (r->tls.protocol[0])
		fprintf(out, "  TLS        %s, %s%s%s\n", r->tls.protocol, r->tls.cipher,
			r->tls.subject[0] ? ", " : "", r->tls.subject);
	put_latency(r, out);
	if (!r->traced)
		fputs("  stages     not told: the proxy answers that only with the setting trace\n", out);
	fputc('\n', out);
	const char *told = NULL;
	for (size_t i = 0; i < r->count; i++) {
		put_check(&p, &r->checks[i], told);
		if (r->checks[i].verdict == VERDICT_FAILED)
			told = r->checks[i].remedy;
	}
	put_summary(&p, r);
}

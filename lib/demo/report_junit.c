/* JUnit's XML, as Jenkins, GitLab and GitHub's actions read it. */
#include "demo/report.h"

static void attribute(FILE *out, const char *name, const char *value)
{
	fprintf(out, " %s=\"", name);
	markup_text(out, value);
	fputc('"', out);
}

static void put_case(const struct report_check *c, FILE *out)
{
	fputs("  <testcase classname=\"nitroproxy.demo\"", out);
	attribute(out, "name", c->id);
	fprintf(out, " time=\"%.6f\">\n", (double)c->us / 1e6);
	if (c->verdict == VERDICT_FAILED) {
		fputs("    <failure", out);
		attribute(out, "type", c->hop ? hop_name(c->hop) : "unknown");
		attribute(out, "message", c->detail);
		fputc('>', out);
		markup_text(out, c->remedy);
		fputs("</failure>\n", out);
	} else if (c->verdict == VERDICT_SKIPPED) {
		fputs("    <skipped", out);
		attribute(out, "message", c->detail);
		fputs("/>\n", out);
	}
	fputs("    <system-out>", out);
	markup_text(out, c->detail);
	fputs("</system-out>\n  </testcase>\n", out);
}

void report_junit(const struct report *r, FILE *out)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"nitroproxy demo\"", out);
	fprintf(out, " tests=\"%zu\" failures=\"%u\" skipped=\"%u\" errors=\"0\" time=\"%.6f\"", r->count,
		report_number(r, VERDICT_FAILED), report_number(r, VERDICT_SKIPPED), (double)r->us / 1e6);
	attribute(out, "timestamp", r->when);
	fputs(">\n", out);
	for (size_t i = 0; i < r->count; i++)
		put_case(&r->checks[i], out);
	fputs("</testsuite>\n", out);
}

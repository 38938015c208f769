/* One page that stands for itself: no script, nothing to load, and a policy that says so to the browser. */
#include "demo/report_html.h"

#include <string.h>

static const struct report_check *find(const struct report *r, const char *id)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->checks[i].id, id) == 0)
			return &r->checks[i];
	return NULL;
}

/* ---- the head of the page ---- */

static void headline(const struct report *r, FILE *out)
{
	unsigned failed = report_number(r, VERDICT_FAILED), passed = report_number(r, VERDICT_PASSED);
	char time[DURATION_MAX];
	if (failed)
		fprintf(out, "<h1><span class=\"bad\">%u of %zu checks failed</span></h1>", failed, r->count);
	else if (passed == r->count)
		fprintf(out, "<h1>All %zu checks passed</h1>", r->count);
	else
		fprintf(out, "<h1>%u checks passed, %zu did not apply</h1>", passed, r->count - passed);
	fprintf(out, "<p class=\"lead\">In %s, %s", duration_text(r->us, time),
		r->local ? "with host, enclave and tunnel as three processes on one machine, and services of "
			   "their own, without any network."
			 : "through <b>");
	if (!r->local) {
		markup_text(out, r->proxy);
		fputs("</b> to <b>", out);
		markup_text(out, r->service);
		fputs("</b>.", out);
	}
	fputs("</p>\n", out);
}

static void figure(FILE *out, const char *value, const char *label)
{
	fputs("<div><dt>", out);
	markup_text(out, label);
	fputs("</dt><dd>", out);
	markup_text(out, value);
	fputs("</dd></div>\n", out);
}

static void figures(const struct report *r, FILE *out)
{
	char text[64], time[DURATION_MAX], size[DURATION_MAX];
	const struct report_check *down = find(r, "download");
	fputs("<dl class=\"figures\">\n", out);
	snprintf(text, sizeof text, "%u of %zu", report_number(r, VERDICT_PASSED), r->count);
	figure(out, text, "checks passed");
	if (r->sample_count)
		figure(out, duration_text(report_percentile(r->samples, r->sample_count, 50), time),
		       "a request, median");
	if (down && down->verdict == VERDICT_PASSED && down->timed && down->stages[STAGE_BODY]) {
		double rate = (double)down->bytes / (double)down->stages[STAGE_BODY] * 1e6;
		snprintf(text, sizeof text, "%s/s", size_text((uint64_t)(rate / 1048576) * 1048576, size));
		figure(out, text, "download");
	}
	if (r->tls.protocol[0])
		figure(out, r->tls.protocol, "enclave to service");
	fputs("</dl>\n", out);
}

/* ---- the foot ---- */

static void row(FILE *out, const char *name, const char *value)
{
	if (!value[0])
		return;
	fprintf(out, "<tr><th scope=\"row\">%s</th><td>", name);
	markup_text(out, value);
	fputs("</td></tr>\n", out);
}

static void facts(const struct report *r, FILE *out)
{
	fputs("<section aria-labelledby=\"run\"><h2 id=\"run\">This run</h2>\n<table class=\"facts\">\n",
	      out);
	row(out, "Started", r->when);
	row(out, "nitroproxy", r->version);
	row(out, "Proxy", r->proxy);
	row(out, "It says", r->health);
	row(out, "Service", r->service);
	row(out, "Certificate", r->tls.subject);
	row(out, "Cipher", r->tls.cipher);
	row(out, "Client's own TLS", r->own_tls.cipher);
	fputs("</table>\n", out);
	if (!r->traced)
		fputs("<p class=\"note\">The proxy did not tell how its time was spent: set "
		      "<code>trace</code> to "
		      "<code>true</code> at host and enclave to see the stages and the facts of TLS.</p>\n",
		      out);
	if (r->insecure)
		fputs("<p class=\"note warn\">The proxy calls its own configuration insecure: its "
		      "<code>/health</code> says why.</p>\n",
		      out);
	fputs("</section>\n", out);
}

void report_html(const struct report *r, FILE *out)
{
	bool failed = report_number(r, VERDICT_FAILED) > 0;
	fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	      "'unsafe-inline'\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
	      out);
	fprintf(out, "nitroproxy: %s</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n",
		failed ? "checks failed" : "checks passed", report_style);
	fprintf(out, "<header class=\"%s\"><p class=\"eyebrow\">nitroproxy demo",
		failed ? "failed" : "passed");
	fputs(" <time>", out);
	markup_text(out, r->when);
	fputs("</time></p>\n", out);
	headline(r, out);
	figures(r, out);
	fputs("</header>\n", out);
	html_path(r, out);
	html_checks(r, out);
	html_latency(r, out);
	html_concurrency(r, out);
	facts(r, out);
	fputs("</main>\n</body>\n</html>\n", out);
}

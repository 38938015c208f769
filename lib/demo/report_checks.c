/* The checks as a list that opens: a line each, and behind it where the time went. */
#include "demo/report_html.h"

static uint64_t total(const struct report_check *c)
{
	uint64_t sum = 0;
	for (int i = 0; i < STAGE_COUNT; i++)
		sum += c->stages[i];
	return sum;
}

/* Shares of the request's time; a stage that can hardly be seen is left to the table. */
static void bar(const struct report_check *c, FILE *out)
{
	uint64_t sum = total(c);
	fputs("<span class=\"bar\" aria-hidden=\"true\">", out);
	for (int i = 0; sum && i < STAGE_COUNT; i++)
		if (c->stages[i] * 200 >= sum)
			fprintf(out, "<i class=\"s-%s\" style=\"flex-grow:%llu\"></i>", stage_name(i),
				(unsigned long long)(c->stages[i] * 1000 / sum));
	fputs("</span>", out);
}

static void stage_rows(const struct report_check *c, FILE *out)
{
	char time[DURATION_MAX];
	uint64_t sum = total(c);
	fputs("<table class=\"stages\"><caption>Where the time of its request went</caption>\n<tbody>\n",
	      out);
	for (int i = 0; i < STAGE_COUNT; i++) {
		if (!c->stages[i])
			continue;
		fprintf(out,
			"<tr><th scope=\"row\"><i class=\"dot s-%s\"></i>%s</th><td>%s</td><td "
			"class=\"share\"><i "
			"class=\"s-%s\" style=\"width:%.1f%%\"></i></td></tr>\n",
			stage_name(i), stage_title(i), duration_text(c->stages[i], time), stage_name(i),
			100 * (double)c->stages[i] / (double)sum);
	}
	fputs("</tbody></table>\n", out);
}

static void pair(FILE *out, const char *name, const char *value)
{
	if (!value[0])
		return;
	fprintf(out, "<div><dt>%s</dt><dd>", name);
	markup_text(out, value);
	fputs("</dd></div>\n", out);
}

static void inside(const struct report_check *c, FILE *out)
{
	char text[DURATION_MAX] = "";
	fputs("<div class=\"inside\"><p>", out);
	markup_text(out, c->question);
	fputs("</p>\n", out);
	if (c->verdict == VERDICT_FAILED) {
		fprintf(out, "<p class=\"remedy\"><b>Where: %s.</b> ", c->hop ? hop_name(c->hop) : "unknown");
		markup_text(out, c->remedy);
		fputs("</p>\n", out);
	}
	fputs("<dl>\n", out);
	pair(out, "Request", c->request);
	if (c->status)
		snprintf(text, sizeof text, "%d", c->status);
	pair(out, "Status", text);
	pair(out, "Body", c->bytes ? size_text(c->bytes, text) : "");
	pair(out, "SHA-256", c->sha256);
	fputs("</dl>\n", out);
	if (c->timed && total(c))
		stage_rows(c, out);
	fputs("</div>\n", out);
}

static void check(const struct report_check *c, FILE *out)
{
	static const char *const marks[] = {"\u2713", "\u2715", "\u2013"};
	char time[DURATION_MAX];
	fprintf(out,
		"<li><details class=\"%s\"%s><summary><span class=\"mark\" role=\"img\" "
		"aria-label=\"%s\">%s</span>"
		"<span class=\"what\"><b>",
		verdict_name(c->verdict), c->verdict == VERDICT_FAILED ? " open" : "",
		verdict_name(c->verdict), marks[c->verdict]);
	markup_text(out, c->title);
	fputs("</b> <span class=\"detail\">", out);
	markup_text(out, c->detail);
	fputs("</span></span>", out);
	if (c->timed && total(c))
		bar(c, out);
	else
		fputs("<span class=\"bar none\"></span>", out);
	fprintf(out, "<span class=\"time\">%s</span></summary>\n", duration_text(c->us, time));
	inside(c, out);
	fputs("</details></li>\n", out);
}

void html_checks(const struct report *r, FILE *out)
{
	fputs("<section aria-labelledby=\"checks\"><h2 id=\"checks\">Checks</h2>\n<p>Open a line for more. "
	      "The "
	      "bar divides the time of one request by where it was spent.</p>\n<ul "
	      "class=\"legend\" aria-label=\"Colours of the stages\">",
	      out);
	for (int i = 0; i < STAGE_COUNT; i++)
		fprintf(out, "<li><i class=\"dot s-%s\"></i>%s</li>", stage_name(i), stage_title(i));
	fputs("</ul>\n<ol class=\"checks\">\n", out);
	for (size_t i = 0; i < r->count; i++)
		check(&r->checks[i], out);
	fputs("</ol></section>\n", out);
}

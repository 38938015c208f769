/* Two plots in SVG, drawn in units that scale with the page; colours come from the style sheet. */
#include "demo/report_html.h"

#define WIDTH  720.0
#define LEFT   56.0 /* for the labels of the axis */
#define RIGHT  12.0
#define TOP    16.0
#define BOTTOM 28.0

/* The next 1, 2 or 5 times a power of ten from value on, in the same unit. */
static double round_up(double value)
{
	double step = 1;
	while (step < value)
		step *= 10;
	while (step > 1e-6 && step / 10 >= value)
		step /= 10;
	return step / 5 >= value ? step / 5 : step / 2 >= value ? step / 2 : step;
}

static void open_svg(FILE *out, double height, const char *title)
{
	fprintf(out, "<svg class=\"plot\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH,
		height);
	markup_text(out, title);
	fputs("\">\n", out);
}

static void label(FILE *out, double x, double y, const char *anchor, const char *text)
{
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	markup_text(out, text);
	fputs("</text>\n", out);
}

static void line(FILE *out, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1,
		x2, y2);
}

/* ---- requests in a row: a dot each ---- */

#define ROW_HEIGHT 250.0

struct row_scale {
	double top; /* microseconds at the upper edge */
	size_t n;
};

static double row_x(const struct row_scale *s, size_t i)
{
	return LEFT + 6 + (WIDTH - LEFT - RIGHT - 12) * ((double)i + 0.5) / (double)s->n;
}

static double row_y(const struct row_scale *s, double us)
{
	double share = us / s->top;
	return ROW_HEIGHT - BOTTOM - (ROW_HEIGHT - BOTTOM - TOP) * (share > 1 ? 1 : share);
}

static void row_grid(FILE *out, const struct row_scale *s)
{
	char time[DURATION_MAX];
	for (int i = 0; i <= 4; i++) {
		double us = s->top * i / 4;
		line(out, "grid", LEFT, row_y(s, us), WIDTH - RIGHT, row_y(s, us));
		label(out, LEFT - 8, row_y(s, us) + 4, "end", i ? duration_text((uint64_t)us, time) : "0");
	}
	label(out, LEFT, ROW_HEIGHT - 8, "start", "first");
	label(out, WIDTH - RIGHT, ROW_HEIGHT - 8, "end", "last");
}

static void row_level(FILE *out, const struct row_scale *s, const char *class, uint32_t us)
{
	line(out, class, LEFT, row_y(s, us), WIDTH - RIGHT, row_y(s, us));
}

void html_latency(const struct report *r, FILE *out)
{
	char half[DURATION_MAX], most[DURATION_MAX], nearly[DURATION_MAX], worst[DURATION_MAX], title[200];
	size_t n = r->sample_count, over = 0;
	if (!n)
		return;
	uint32_t p50 = report_percentile(r->samples, n, 50), p90 = report_percentile(r->samples, n, 90);
	uint32_t p99 = report_percentile(r->samples, n, 99), max = report_percentile(r->samples, n, 100);
	/* One slow request shall not press all others flat: it is shown at the edge. */
	struct row_scale s = {.top = round_up(p99 * 1.15), .n = n};
	snprintf(title, sizeof title,
		 "Times of %zu requests in a row: median %s, 90 %% within %s, 99 %% within %s.", n,
		 duration_text(p50, half), duration_text(p90, most), duration_text(p99, nearly));
	fputs("<section aria-labelledby=\"latency\"><h2 id=\"latency\">Requests in a row</h2>\n<p>", out);
	fprintf(out, "%zu small requests, one behind the other, on connections that were already up.</p>\n",
		n);
	fprintf(out,
		"<dl class=\"levels\"><div class=\"l50\"><dt>half within</dt><dd>%s</dd></div><div "
		"class=\"l90\"><dt>90 %% "
		"within</dt><dd>%s</dd></div><div class=\"l99\"><dt>99 %% "
		"within</dt><dd>%s</dd></div><div><dt>the "
		"slowest</dt><dd>%s</dd></div></dl>\n",
		half, most, nearly, duration_text(max, worst));
	open_svg(out, ROW_HEIGHT, title);
	row_grid(out, &s);
	for (size_t i = 0; i < n; i++) {
		bool out_of_scale = r->samples[i] > s.top;
		over += out_of_scale;
		fprintf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"/>",
			out_of_scale ? "over" : "sample", row_x(&s, i), row_y(&s, r->samples[i]),
			n > 150 ? "2.2" : "3.2");
	}
	fputc('\n', out);
	row_level(out, &s, "l50", p50);
	row_level(out, &s, "l90", p90);
	row_level(out, &s, "l99", p99);
	fputs("</svg>\n", out);
	if (over)
		fprintf(out,
			"<p class=\"note\">%zu %s beyond the upper edge and %s drawn as rings on it.</p>\n",
			over, over == 1 ? "lies" : "lie", over == 1 ? "is" : "are");
	fputs("</section>\n", out);
}

/* ---- requests at the same time: a bar each ---- */

#define SPANS_SHOWN 40

void html_concurrency(const struct report *r, FILE *out)
{
	char time[DURATION_MAX], title[160];
	size_t n = r->span_count < SPANS_SHOWN ? r->span_count : SPANS_SHOWN;
	uint32_t end = 0;
	if (!n)
		return;
	for (size_t i = 0; i < r->span_count; i++)
		end = r->spans[i].to > end ? r->spans[i].to : end;
	double height = 16.0 * (double)n + 30, scale = (WIDTH - LEFT - RIGHT) / (end ? end : 1);
	double pitch = 16;
	snprintf(title, sizeof title,
		 "%zu requests that each took the service a second were all done after %s.", r->span_count,
		 duration_text(end, time));
	fputs("<section aria-labelledby=\"together\"><h2 id=\"together\">Requests at the same time</h2>\n<p>",
	      out);
	markup_text(out, title);
	fprintf(out, " One behind the other it would have been %zu s.</p>\n", r->span_count);
	open_svg(out, height, title);
	for (int i = 0; i <= 4; i++) {
		double x = LEFT + (WIDTH - LEFT - RIGHT) * i / 4;
		line(out, "grid", x, 4, x, height - 24);
		label(out, x, height - 8, i == 4 ? "end" : "middle",
		      i ? duration_text((uint64_t)end * i / 4, time) : "0");
	}
	for (size_t i = 0; i < n; i++) {
		char number[24];
		double y = 6 + pitch * (double)i;
		snprintf(number, sizeof number, "%zu", i + 1);
		label(out, LEFT - 8, y + 9, "end", number);
		fprintf(out,
			"<rect class=\"span\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"10\" "
			"rx=\"2\"/>\n",
			LEFT + r->spans[i].from * scale, y, (r->spans[i].to - r->spans[i].from) * scale);
	}
	fputs("</svg>\n</section>\n", out);
}

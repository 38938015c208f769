/* Two plots in SVG, drawn in units that scale with the page; colours come from the style sheet. */
#include <math.h>

#include "demo/report_html.h"

#define WIDTH  720.0
#define LEFT   56.0 /* for the labels of the axis */
#define RIGHT  12.0
#define TOP    16.0
#define BOTTOM 28.0

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

/* ---- requests in a row: a dot each, on a scale of powers so that the slowest does not press the others flat
 * ---- */

#define ROW_HEIGHT 270.0
#define TICKS_MAX  24

struct row_scale {
	double ticks[TICKS_MAX]; /* 1, 2 and 5 times powers of ten, from below the least to above the most */
	size_t tick_count, n;
};

static void make_scale(struct row_scale *s, double least, double most)
{
	static const double steps[] = {1, 2, 5};
	double power = 1, tick = 1;
	*s = (struct row_scale){.tick_count = 0};
	for (size_t i = 0; s->tick_count < TICKS_MAX; i++) {
		if (i && i % 3 == 0)
			power *= 10;
		tick = steps[i % 3] * power;
		if (tick <= least) /* the last one below counts */
			s->tick_count = 0;
		s->ticks[s->tick_count++] = tick;
		if (tick >= most)
			return;
	}
}

static double row_x(const struct row_scale *s, size_t i)
{
	return LEFT + 6 + (WIDTH - LEFT - RIGHT - 12) * ((double)i + 0.5) / (double)s->n;
}

static double row_y(const struct row_scale *s, double us)
{
	double from = log(s->ticks[0]), to = log(s->ticks[s->tick_count - 1]);
	double share = to > from ? (log(us > 1 ? us : 1) - from) / (to - from) : 0;
	return ROW_HEIGHT - BOTTOM - (ROW_HEIGHT - BOTTOM - TOP) * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static void row_grid(FILE *out, const struct row_scale *s)
{
	char time[DURATION_MAX];
	for (size_t i = 0; i < s->tick_count; i++) {
		double y = row_y(s, s->ticks[i]);
		line(out, "grid", LEFT, y, WIDTH - RIGHT, y);
		label(out, LEFT - 8, y + 4, "end", duration_text((uint64_t)s->ticks[i], time));
	}
	label(out, LEFT, ROW_HEIGHT - 8, "start", "first");
	label(out, WIDTH - RIGHT, ROW_HEIGHT - 8, "end", "last");
}

static void row_level(FILE *out, const struct row_scale *s, const char *class, uint32_t us)
{
	line(out, class, LEFT, row_y(s, us), WIDTH - RIGHT, row_y(s, us));
}

static void level(FILE *out, const char *class, const char *name, uint32_t us)
{
	char time[DURATION_MAX];
	fprintf(out, "<div class=\"%s\"><dt>%s</dt><dd>%s</dd></div>", class, name, duration_text(us, time));
}

void html_latency(const struct report *r, FILE *out)
{
	char half[DURATION_MAX], most[DURATION_MAX], title[200];
	struct row_scale s;
	size_t n = r->sample_count;
	if (!n)
		return;
	uint32_t p50 = report_percentile(r->samples, n, 50), p90 = report_percentile(r->samples, n, 90);
	uint32_t p99 = report_percentile(r->samples, n, 99), max = report_percentile(r->samples, n, 100);
	make_scale(&s, report_percentile(r->samples, n, 0), max);
	s.n = n;
	snprintf(title, sizeof title, "Times of %zu requests in a row: half within %s, 99 %% within %s.", n,
		 duration_text(p50, half), duration_text(p99, most));
	fputs("<section aria-labelledby=\"latency\"><h2 id=\"latency\">Requests in a row</h2>\n<p>", out);
	fprintf(out, "%zu small requests, one behind the other, on connections that were already up.</p>\n",
		n);
	fputs("<dl class=\"levels\">", out);
	level(out, "l50", "half within", p50);
	level(out, "l90", "90 % within", p90);
	level(out, "l99", "99 % within", p99);
	level(out, "", "the slowest", max);
	fputs("</dl>\n", out);
	open_svg(out, ROW_HEIGHT, title);
	row_grid(out, &s);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "<circle class=\"sample\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"/>", row_x(&s, i),
			row_y(&s, r->samples[i]), n > 150 ? "2.2" : "3.2");
	fputc('\n', out);
	row_level(out, &s, "l50", p50);
	row_level(out, &s, "l90", p90);
	row_level(out, &s, "l99", p99);
	fputs("</svg>\n</section>\n", out);
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

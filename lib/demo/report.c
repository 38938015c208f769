#include "demo/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static const struct {
	const char *name, *title;
} stages[STAGE_COUNT] = {{"connect", "Connect"}, {"proxy", "Host"}, {"enclave", "Enclave"},
			 {"tunnel", "Tunnel"},	 {"tls", "TLS"},    {"service", "Service"},
			 {"body", "Body"}};

const char *stage_name(enum stage stage)
{
	return stages[stage].name;
}

const char *stage_title(enum stage stage)
{
	return stages[stage].title;
}

const char *verdict_name(enum verdict verdict)
{
	return verdict == VERDICT_PASSED ? "passed" : verdict == VERDICT_FAILED ? "failed" : "skipped";
}

unsigned report_number(const struct report *r, enum verdict verdict)
{
	unsigned n = 0;
	for (size_t i = 0; i < r->count; i++)
		n += r->checks[i].verdict == verdict;
	return n;
}

static int compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* Nearest rank. */
uint32_t report_percentile(const uint32_t *values, size_t n, unsigned p)
{
	if (!n)
		return 0;
	uint32_t *sorted = mem_alloc(n * sizeof *sorted);
	memcpy(sorted, values, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, compare);
	size_t rank = (n * p + 99) / 100;
	uint32_t value = sorted[rank ? rank - 1 : 0];
	free(sorted);
	return value;
}

/* Three digits, whatever the size. */
static const char *three(double value, const char *unit, char out[DURATION_MAX])
{
	int places = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	snprintf(out, DURATION_MAX, "%.*f %s", places, value, unit);
	return out;
}

const char *duration_text(uint64_t us, char out[DURATION_MAX])
{
	double value = (double)us;
	if (us < 1000)
		snprintf(out, DURATION_MAX, "%u µs", (unsigned)us);
	else if (us < 999500)
		three(value / 1e3, "ms", out);
	else if (us < 100000000)
		three(value / 1e6, "s", out);
	else
		snprintf(out, DURATION_MAX, "%.0f min", value / 6e7);
	return out;
}

const char *size_text(uint64_t bytes, char out[DURATION_MAX])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
	size_t unit = 0;
	double value = (double)bytes;
	for (; value >= 1024 && unit < countof(units) - 1; unit++)
		value /= 1024;
	if (value == (double)(uint64_t)value)
		snprintf(out, DURATION_MAX, "%u %s", (unsigned)value, units[unit]);
	else
		three(value, units[unit], out);
	return out;
}

void markup_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		uint8_t c = (uint8_t)*text;
		switch (c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(c < ' ' && c != '\t' && c != '\n' ? '?' : c, out);
		}
	}
}

/* ---- files ---- */

typedef void write_fn(const struct report *r, FILE *out);

static void write_text(const struct report *r, FILE *out)
{
	report_text(r, false, out);
}

static write_fn *writer_of(const char *path)
{
	static const struct {
		const char *ending;
		write_fn *fn;
	} writers[] = {
		{".txt", write_text}, {".json", report_json}, {".html", report_html}, {".xml", report_junit}};
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < countof(writers); i++)
		if (strcmp(dot, writers[i].ending) == 0)
			return writers[i].fn;
	return NULL;
}

bool report_path_ok(const char *path, struct error *err)
{
	return writer_of(path) ||
	       error_set(err, ERR_CONFIG, "a report's file name ends in .txt, .json, .html or .xml");
}

bool report_write(const struct report *r, const char *path, struct error *err)
{
	write_fn *write = writer_of(path);
	if (!write)
		return report_path_ok(path, err);
	FILE *out = fopen(path, "we");
	if (!out)
		return error_errno(err, errno, "cannot write the report");
	write(r, out);
	bool ok = !ferror(out);
	ok = fclose(out) == 0 && ok;
	return ok || error_errno(err, errno ? errno : EIO, "cannot write the report");
}

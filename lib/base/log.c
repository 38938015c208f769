#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log_sink.h"
#include "base/quote.h"

/* A pipe that poll calls writable has room for PIPE_BUF bytes, so a line that long cannot block. */
_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "more than PIPE_BUF");

#define TAIL_ROOM 64 /* kept for truncated, dropped and the line's end */

enum log_level log_threshold = LOG_INFO;

static struct {
	pthread_mutex_t lock;
	struct log_sink sink;
	enum log_format format;
	char role[16];
	uint64_t *dropped, told; /* lines lost; of these mentioned in the log */
	uint64_t own_dropped;
	log_tap_fn *tap;
	void *tap_arg;
	time_t second; /* what `clock` shows */
	char clock[32];
} out = {.lock = PTHREAD_MUTEX_INITIALIZER, .sink.fd = STDERR_FILENO, .dropped = &out.own_dropped};

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	return names[level];
}

bool log_open(const struct log_options *o, struct error *err)
{
	pthread_mutex_lock(&out.lock);
	bool ok = log_sink_open(&out.sink, o->file, o->max_size, o->backup_count, o->writers, err);
	if (ok) {
		out.format = o->format;
		snprintf(out.role, sizeof out.role, "%s", o->role ? o->role : "");
		log_threshold = o->level;
	} else if (err) {
		err->kind = ERR_CONFIG;
	}
	pthread_mutex_unlock(&out.lock);
	return ok;
}

void log_close(void)
{
	pthread_mutex_lock(&out.lock);
	log_sink_close(&out.sink);
	out.format = LOG_LOGFMT;
	out.role[0] = '\0';
	log_threshold = LOG_INFO;
	pthread_mutex_unlock(&out.lock);
}

bool log_reopen(struct error *err)
{
	pthread_mutex_lock(&out.lock);
	bool ok = log_sink_reopen(&out.sink, err);
	pthread_mutex_unlock(&out.lock);
	return ok;
}

uint64_t log_dropped(void)
{
	pthread_mutex_lock(&out.lock);
	uint64_t n = *out.dropped;
	pthread_mutex_unlock(&out.lock);
	return n;
}

void log_count_dropped(uint64_t *where)
{
	pthread_mutex_lock(&out.lock);
	uint64_t *to = where ? where : &out.own_dropped;
	out.told = *to; /* what another has lost it has told, or will */
	out.dropped = to;
	pthread_mutex_unlock(&out.lock);
}

void log_tap(log_tap_fn *fn, void *arg)
{
	pthread_mutex_lock(&out.lock);
	out.tap = fn;
	out.tap_arg = arg;
	pthread_mutex_unlock(&out.lock);
}

bool log_pass(struct span line)
{
	char text[1 + LOG_LINE_MAX];
	pthread_mutex_lock(&out.lock);
	bool good = line.n && line.n < LOG_LINE_MAX && (line.p[0] == '{') == (out.format == LOG_JSON);
	if (good) {
		text[0] = '\n'; /* log_sink_write wants it */
		memcpy(text + 1, line.p, line.n);
		text[1 + line.n] = '\n';
		if (!log_sink_write(&out.sink, text + 1, line.n + 1))
			++*out.dropped;
	}
	pthread_mutex_unlock(&out.lock);
	return good;
}

/* ---- one line ---- */

struct line {
	char text[1 + LOG_LINE_MAX]; /* text[0] is '\n': log_sink_write wants it */
	size_t n;
	bool truncated;
};

static void put(struct line *l, size_t end, const char *p, size_t n)
{
	if (n > end - l->n) {
		l->truncated = true;
		return;
	}
	memcpy(l->text + l->n, p, n);
	l->n += n;
}

static void put_text(struct line *l, size_t end, const char *text)
{
	put(l, end, text, strlen(text));
}

/* logfmt needs no quotes around what cannot be taken for anything but a value. */
static bool is_bare(struct span s)
{
	unsigned odd = s.n == 0;
	for (size_t i = 0; i < s.n; i++) { /* without a way out, so that the compiler takes many at once */
		unsigned char c = (unsigned char)s.p[i];
		odd |= (c <= ' ') | (c >= 0x7f) | (c == '"') | (c == '=') | (c == '\\');
	}
	return !odd;
}

static void put_quoted(struct line *l, size_t end, struct span s)
{
	if (out.format == LOG_LOGFMT && is_bare(s)) {
		put(l, end, s.p, s.n);
		return;
	}
	put(l, end, "\"", 1);
	size_t taken = 0;
	if (!l->truncated)
		l->n += quote_json(l->text + l->n, end - l->n, s, &taken);
	if (taken < s.n)
		l->truncated = true;
	put(l, end, "\"", 1);
}

/* At least `digits` of them, zeros in front. snprintf would be half of what a line costs. */
static void put_uint(struct line *l, size_t end, uint64_t value, size_t digits)
{
	char text[20];
	size_t at = sizeof text;
	do
		text[--at] = (char)('0' + value % 10);
	while (value /= 10);
	while (sizeof text - at < digits)
		text[--at] = '0';
	put(l, end, text + at, sizeof text - at);
}

static void put_value(struct line *l, size_t end, const struct log_field *f)
{
	switch (f->type) {
	case LOG_FIELD_SPAN:
		put_quoted(l, end, f->span);
		break;
	case LOG_FIELD_INT:
		put(l, end, "-", f->i < 0);
		put_uint(l, end, f->i < 0 ? -(uint64_t)f->i : (uint64_t)f->i, 1);
		break;
	case LOG_FIELD_UINT:
		put_uint(l, end, f->u, 1);
		break;
	case LOG_FIELD_MS:
		put_uint(l, end, f->u / 1000, 1);
		put(l, end, ".", 1);
		put_uint(l, end, f->u % 1000, 3);
		break;
	case LOG_FIELD_BOOL:
		put_text(l, end, f->b ? "true" : "false");
		break;
	}
}

/* A field that does not fit is left out whole. */
static void put_field(struct line *l, size_t end, const struct log_field *f)
{
	if (f->type == LOG_FIELD_SPAN && !f->span.p)
		return;
	size_t before = l->n;
	bool was = l->truncated;
	l->truncated = false;
	put_text(l, end, out.format == LOG_JSON ? ",\"" : " ");
	put_text(l, end, f->key);
	put_text(l, end, out.format == LOG_JSON ? "\":" : "=");
	put_value(l, end, f);
	if (l->truncated)
		l->n = before;
	l->truncated = l->truncated || was;
}

/* RFC 3339, UTC. The date part changes once a second only. */
static void put_time(struct line *l, size_t end)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != out.second || !out.clock[0]) {
		struct tm tm;
		gmtime_r(&now.tv_sec, &tm);
		strftime(out.clock, sizeof out.clock, "%Y-%m-%dT%H:%M:%S", &tm);
		out.second = now.tv_sec;
	}
	put_text(l, end, out.format == LOG_JSON ? "{\"time\":\"" : "time=");
	put_text(l, end, out.clock);
	put(l, end, ".", 1);
	put_uint(l, end, (uint64_t)(now.tv_nsec / 1000000), 3);
	put_text(l, end, out.format == LOG_JSON ? "Z\"" : "Z");
}

static void build(struct line *l, enum log_level level, const char *event, const struct log_field *fields,
		  uint64_t untold)
{
	const size_t end = sizeof l->text, body = end - TAIL_ROOM;
	l->text[0] = '\n';
	l->n = 1;
	l->truncated = false;
	put_time(l, body);
	put_field(l, body, &LOG_STR("level", log_level_name(level)));
	put_field(l, body, &LOG_STR("role", out.role[0] ? out.role : NULL));
	put_field(l, body, &LOG_STR("msg", event));
	for (; fields->key; fields++)
		put_field(l, body, fields);
	if (l->truncated)
		put_field(l, end, &LOG_BOOL("truncated", true));
	if (untold)
		put_field(l, end, &LOG_UINT("dropped", untold));
	put_text(l, end, out.format == LOG_JSON ? "}\n" : "\n");
}

void log_line(enum log_level level, const char *event, const struct log_field *fields)
{
	struct line l;
	int saved = errno; /* callers log between a failure and looking at errno */
	pthread_mutex_lock(&out.lock);
	uint64_t untold = *out.dropped - out.told;
	build(&l, level, event, fields, untold);
	if (out.tap)
		out.tap(out.tap_arg, l.text + 1, l.n - 1);
	if (log_sink_write(&out.sink, l.text + 1, l.n - 1))
		out.told += untold;
	else
		++*out.dropped;
	pthread_mutex_unlock(&out.lock);
	errno = saved;
}

/*
 * The log: one line an event, logfmt or JSON, to stderr or to a file that rotates.
 *
 *	log_write(LOG_INFO, "exchange", LOG_STR("id", id), LOG_INT("status", 200));
 *
 *	time=2026-01-02T03:04:05.678Z level=info role=host msg=exchange id=7f.. status=200
 *	{"time":"2026-01-02T03:04:05.678Z","level":"info","role":"host","msg":"exchange","id":"7f..","status":200}
 *
 *  - A level that is off costs one comparison: the fields are not evaluated.
 *  - A line allocates nothing, is at most LOG_LINE_MAX bytes (fields that do not fit are
 *    left out and `truncated=true` says so) and is one write(2).
 *  - Nothing waits: a pipe that is full, a disk that is full: the line is dropped and
 *    counted, and the next line that gets out carries the count.
 *  - Values are escaped: whatever they hold, a line stays one line and parses back.
 *
 * The log is the one state of the process that is global: everybody writes to it, and
 * its lines must not interleave. Lines may be written from any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

#define LOG_LINE_MAX 4096

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_options {
	enum log_level level;
	enum log_format format;
	const char *role;      /* "host", "enclave", "tunnel"; copied, at most 15 bytes */
	const char *file;      /* NULL or "": stderr */
	uint64_t max_size;     /* bytes after which file becomes file.1; 0: never */
	unsigned backup_count; /* file.1 .. file.N are kept; 0: the file is emptied */
	unsigned writers;      /* processes that write to the file; 0: one */
};

/* Before it the log goes to stderr as logfmt at info. May be called again. */
bool log_open(const struct log_options *options, struct error *err);
/* Closes the file; back to how it was before log_open. */
void log_close(void);
/* For SIGUSR1: opens the file by its name anew (logrotate has moved it). Stays with the old one on error. */
bool log_reopen(struct error *err);
/* Lines that were lost since the start, for metrics. */
uint64_t log_dropped(void);
/* Counts them there from now on: in memory that others see, too. NULL: for itself again. */
void log_count_dropped(uint64_t *where);

/*
 * Each line is also given to fn (NULL: no longer), as it is written, with its '\n'. Called from any thread
 * while the log is held: fn must not log and must not wait.
 */
typedef void log_tap_fn(void *arg, const char *line, size_t n);
void log_tap(log_tap_fn *fn, void *arg);

/* ---- writing ---- */

struct log_field {
	const char *key; /* a literal: [a-z0-9_]+ */
	enum { LOG_FIELD_SPAN, LOG_FIELD_INT, LOG_FIELD_UINT, LOG_FIELD_MS, LOG_FIELD_BOOL } type;
	union {
		struct span span; /* p NULL: the field is left out */
		int64_t i;
		uint64_t u;
		bool b;
	};
};

#define LOG_SPAN(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_SPAN, .span = (v)})
#define LOG_STR(k, v)  ((struct log_field){.key = (k), .type = LOG_FIELD_SPAN, .span = log_text(v)})
#define LOG_INT(k, v)  ((struct log_field){.key = (k), .type = LOG_FIELD_INT, .i = (v)})
#define LOG_UINT(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_UINT, .u = (v)})
/* Microseconds in, milliseconds with three places out. */
#define LOG_MS(k, us)  ((struct log_field){.key = (k), .type = LOG_FIELD_MS, .u = (us)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .type = LOG_FIELD_BOOL, .b = (v)})
/* error=NAME hop=.. detail=TEXT: three fields of a struct error. */
#define LOG_ERR(e)                                                                                           \
	LOG_STR("error", error_kind_name((e)->kind)), LOG_STR("hop", (e)->hop ? hop_name((e)->hop) : NULL),  \
		LOG_STR("detail", (e)->text)

#define log_write(level, event, ...)                                                                         \
	do {                                                                                                 \
		if (log_on(level))                                                                           \
			log_line(level, event,                                                               \
				 (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}});       \
	} while (0)

extern enum log_level log_threshold; /* read it through log_on */

static inline bool log_on(enum log_level level)
{
	return level <= log_threshold;
}

static inline struct span log_text(const char *text)
{
	return text ? span_of(text) : (struct span){NULL, 0};
}

/* fields end with one whose key is NULL. Use log_write. */
void log_line(enum log_level level, const char *event, const struct log_field *fields);

/*
 * Writes a line that another process of ours has made, without its '\n', as it is. False, and nothing is
 * written, if it is in the other format than ours or too long.
 */
bool log_pass(struct span line);

const char *log_level_name(enum log_level level);

#endif

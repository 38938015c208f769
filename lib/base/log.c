#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"

/* A pipe that poll calls writable has room for PIPE_BUF bytes, so a line that long cannot block. */
_Static_assert(LOG_LINE_MAX <= 4096, "more than PIPE_BUF");

#define TAIL_ROOM 64 /* kept for truncated, dropped and the line's end */

enum log_level log_threshold = LOG_INFO;

static struct {
	pthread_mutex_t lock;
	enum log_format format;
	char role[16];
	char *file; /* owned; NULL: stderr */
	int fd;
	bool is_socket, is_file;
	bool torn;     /* the last line was cut by a full disk: the next begins on a line of its own */
	uint64_t size; /* of the file, as far as we know */
	uint64_t max_size;
	unsigned backup_count;
	uint64_t dropped, told; /* lines lost; of these mentioned in the log */
	time_t second;		/* what `clock` shows */
	char clock[32];
} out = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO};

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	return names[level];
}

/* ---- where it goes ---- */

static int open_file(const char *file)
{
	return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

static void use_fd(int fd)
{
	struct stat st = {.st_mode = 0};
	if (fstat(fd, &st) != 0)
		st.st_size = 0;
	out.fd = fd;
	out.is_socket = S_ISSOCK(st.st_mode);
	out.is_file = S_ISREG(st.st_mode);
	out.size = out.is_file ? (uint64_t)st.st_size : 0;
	out.torn = false;
}

static void close_file(void)
{
	if (out.file)
		close(out.fd);
	free(out.file);
	out.file = NULL;
}

bool log_open(const struct log_options *o, struct error *err)
{
	bool to_file = o->file && o->file[0];
	int fd = to_file ? open_file(o->file) : STDERR_FILENO;
	if (fd < 0) {
		error_errno(err, errno, "cannot open the log file %s", quote_clip(span_of(o->file)).text);
		if (err)
			err->kind = ERR_CONFIG;
		return false;
	}
	pthread_mutex_lock(&out.lock);
	close_file();
	out.format = o->format;
	snprintf(out.role, sizeof out.role, "%s", o->role ? o->role : "");
	out.file = to_file ? mem_text(o->file) : NULL;
	out.max_size = o->max_size;
	out.backup_count = o->backup_count;
	use_fd(fd);
	log_threshold = o->level;
	pthread_mutex_unlock(&out.lock);
	return true;
}

void log_close(void)
{
	pthread_mutex_lock(&out.lock);
	close_file();
	out.format = LOG_LOGFMT;
	out.role[0] = '\0';
	out.max_size = 0;
	use_fd(STDERR_FILENO);
	log_threshold = LOG_INFO;
	pthread_mutex_unlock(&out.lock);
}

static bool reopen(struct error *err)
{
	int fd = open_file(out.file);
	if (fd < 0)
		return error_errno(err, errno, "cannot open the log file %s",
				   quote_clip(span_of(out.file)).text);
	close(out.fd);
	use_fd(fd);
	return true;
}

bool log_reopen(struct error *err)
{
	pthread_mutex_lock(&out.lock);
	bool ok = !out.file || reopen(err);
	pthread_mutex_unlock(&out.lock);
	return ok;
}

uint64_t log_dropped(void)
{
	pthread_mutex_lock(&out.lock);
	uint64_t n = out.dropped;
	pthread_mutex_unlock(&out.lock);
	return n;
}

/* ---- rotation: file -> file.1 -> .. -> file.N ---- */

/* Another process that shares the file may have moved it away already. */
static bool still_ours(void)
{
	struct stat name, fd;
	return stat(out.file, &name) == 0 && fstat(out.fd, &fd) == 0 && name.st_ino == fd.st_ino &&
	       name.st_dev == fd.st_dev;
}

static void shift_backups(void)
{
	char from[4096], to[4096];
	for (unsigned i = out.backup_count; i > 0; i--) {
		int n = i > 1 ? snprintf(from, sizeof from, "%s.%u", out.file, i - 1)
			      : snprintf(from, sizeof from, "%s", out.file);
		int m = snprintf(to, sizeof to, "%s.%u", out.file, i);
		if (n < (int)sizeof from && m < (int)sizeof to)
			rename(from, to); /* one that is not there yet: nothing to move */
	}
}

/* Where it fails (a directory that is not ours) the old file goes on, to be tried again max_size later. */
static void rotate(void)
{
	if (!out.backup_count) {
		if (ftruncate(out.fd, 0) == 0)
			out.torn = false;
		out.size = 0;
		return;
	}
	if (still_ours())
		shift_backups();
	if (!reopen(NULL) || out.size)
		out.size = 0;
}

/* ---- one line ---- */

struct line {
	char text[1 + LOG_LINE_MAX]; /* text[0] is '\n', sent when the line before was torn */
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
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
			return false;
	return s.n > 0;
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

static void put_value(struct line *l, size_t end, const struct log_field *f)
{
	char number[32];
	switch (f->type) {
	case LOG_FIELD_SPAN:
		put_quoted(l, end, f->span);
		return;
	case LOG_FIELD_INT:
		snprintf(number, sizeof number, "%lld", (long long)f->i);
		break;
	case LOG_FIELD_UINT:
		snprintf(number, sizeof number, "%llu", (unsigned long long)f->u);
		break;
	case LOG_FIELD_MS:
		snprintf(number, sizeof number, "%llu.%03u", (unsigned long long)(f->u / 1000),
			 (unsigned)(f->u % 1000));
		break;
	case LOG_FIELD_BOOL:
		snprintf(number, sizeof number, "%s", f->b ? "true" : "false");
		break;
	}
	put_text(l, end, number);
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
	char ms[8];
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != out.second || !out.clock[0]) {
		struct tm tm;
		gmtime_r(&now.tv_sec, &tm);
		strftime(out.clock, sizeof out.clock, "%Y-%m-%dT%H:%M:%S", &tm);
		out.second = now.tv_sec;
	}
	snprintf(ms, sizeof ms, ".%03uZ", (unsigned)(now.tv_nsec / 1000000) % 1000);
	put_text(l, end, out.format == LOG_JSON ? "{\"time\":\"" : "time=");
	put_text(l, end, out.clock);
	put_text(l, end, ms);
	put_text(l, end, out.format == LOG_JSON ? "\"" : "");
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

static ssize_t write_now(const char *p, size_t n)
{
	if (out.is_socket)
		return send(out.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!out.is_file) {
		struct pollfd ready = {.fd = out.fd, .events = POLLOUT};
		if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT) || ready.revents & POLLERR) {
			errno = EAGAIN;
			return -1;
		}
	}
	return write(out.fd, p, n);
}

static bool write_line(const struct line *l)
{
	const char *p = l->text + !out.torn;
	size_t n = l->n - !out.torn;
	if (out.file && out.is_file && out.max_size && out.size && out.size + n > out.max_size) {
		rotate();
		p = l->text + !out.torn;
		n = l->n - !out.torn;
	}
	ssize_t wrote;
	do
		wrote = write_now(p, n);
	while (wrote < 0 && errno == EINTR);
	if (wrote <= 0)
		return false;
	out.size += (uint64_t)wrote;
	out.torn = (size_t)wrote < n;
	return !out.torn;
}

void log_line(enum log_level level, const char *event, const struct log_field *fields)
{
	struct line l;
	int saved = errno; /* callers log between a failure and looking at errno */
	pthread_mutex_lock(&out.lock);
	uint64_t untold = out.dropped - out.told;
	build(&l, level, event, fields, untold);
	if (write_line(&l))
		out.told += untold;
	else
		out.dropped++;
	pthread_mutex_unlock(&out.lock);
	errno = saved;
}

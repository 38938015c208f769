#include "base/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"
#include "base/span.h"

static int open_file(const char *file)
{
	return open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
}

static bool cannot_open(const char *file, struct error *err)
{
	return error_errno(err, errno, "cannot open the log file %s", quote_clip(span_of(file)).text);
}

/* One that writes alone knows how large the file is. One of several looks when it has filled an eighth of its share. */
static void set_size(struct log_sink *s, uint64_t size)
{
	uint64_t room = s->max_size > size ? s->max_size - size : 0;
	s->size = size;
	s->look_at = size + (s->writers > 1 ? room / s->writers / 8 : room);
}

static void look(struct log_sink *s)
{
	struct stat st;
	if (fstat(s->fd, &st) == 0)
		set_size(s, (uint64_t)st.st_size > s->from ? (uint64_t)st.st_size - s->from : 0);
}

static void use_fd(struct log_sink *s, int fd)
{
	struct stat st = {.st_mode = 0};
	if (fstat(fd, &st) != 0)
		st.st_size = 0;
	s->fd = fd;
	s->is_socket = S_ISSOCK(st.st_mode);
	s->is_file = S_ISREG(st.st_mode);
	s->from = 0;
	set_size(s, s->is_file ? (uint64_t)st.st_size : 0);
	s->torn = false;
}

void log_sink_close(struct log_sink *s)
{
	if (s->file)
		close(s->fd);
	free(s->file);
	*s = (struct log_sink){.file = NULL};
	use_fd(s, STDERR_FILENO);
}

bool log_sink_open(struct log_sink *s, const char *file, uint64_t max_size, unsigned backup_count,
		   unsigned writers, struct error *err)
{
	bool to_file = file && file[0];
	int fd = to_file ? open_file(file) : STDERR_FILENO;
	if (fd < 0)
		return cannot_open(file, err);
	log_sink_close(s);
	s->file = to_file ? mem_text(file) : NULL;
	s->max_size = max_size;
	s->backup_count = backup_count;
	s->writers = writers;
	use_fd(s, fd);
	return true;
}

bool log_sink_reopen(struct log_sink *s, struct error *err)
{
	if (!s->file)
		return true;
	int fd = open_file(s->file);
	if (fd < 0)
		return cannot_open(s->file, err);
	close(s->fd);
	use_fd(s, fd);
	return true;
}

/* ---- rotation: file -> file.1 -> .. -> file.N ---- */

/* Another process that shares the file may have moved it away already. */
static bool still_ours(const struct log_sink *s)
{
	struct stat name, fd;
	return stat(s->file, &name) == 0 && fstat(s->fd, &fd) == 0 && name.st_ino == fd.st_ino &&
	       name.st_dev == fd.st_dev;
}

/* False when the file itself could not be moved. */
static bool shift_backups(const struct log_sink *s)
{
	char from[4096], to[4096];
	bool moved = false;
	for (unsigned i = s->backup_count; i > 0; i--) {
		int n = i > 1 ? snprintf(from, sizeof from, "%s.%u", s->file, i - 1)
			      : snprintf(from, sizeof from, "%s", s->file);
		int m = snprintf(to, sizeof to, "%s.%u", s->file, i);
		/* An older one that is not there yet fails, which is fine. */
		moved = n < (int)sizeof from && m < (int)sizeof to && rename(from, to) == 0;
	}
	return moved;
}

/* Where it fails (a directory that is not ours) the old file goes on, to be tried again max_size later. */
static void rotate(struct log_sink *s)
{
	if (!s->backup_count) {
		if (ftruncate(s->fd, 0) == 0)
			s->torn = false;
		set_size(s, 0);
		return;
	}
	bool stuck = still_ours(s) && !shift_backups(s);
	if (stuck || !log_sink_reopen(s, NULL)) {
		s->from += s->size;
		set_size(s, 0);
	}
}

static bool is_full(struct log_sink *s, size_t n)
{
	if (!s->is_file || !s->file || !s->max_size || s->size + n <= s->look_at)
		return false;
	look(s);
	return s->size && s->size + n > s->max_size;
}

/* ---- one line ---- */

static ssize_t write_now(const struct log_sink *s, const char *p, size_t size)
{
	if (s->is_socket)
		return send(s->fd, p, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (!s->is_file) {
		struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
		int n = poll(&ready, 1, 0);
		if (n < 0) /* EINTR, even without a wait: the caller tries again */
			return -1;
		if (n == 0 || !(ready.revents & POLLOUT) || ready.revents & POLLERR) {
			errno = EAGAIN;
			return -1;
		}
	}
	return write(s->fd, p, size);
}

bool log_sink_write(struct log_sink *s, const char *line, size_t n)
{
	if (is_full(s, s->torn + n))
		rotate(s);
	const char *p = line - s->torn;
	n += s->torn;
	ssize_t wrote;
	do
		wrote = write_now(s, p, n);
	while (wrote < 0 && errno == EINTR);
	if (wrote <= 0)
		return false;
	s->size += (uint64_t)wrote;
	s->torn = (size_t)wrote < n;
	return !s->torn;
}

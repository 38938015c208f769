/* Where the log's lines go: stderr, or a file that rotates. Never waits. */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct log_sink {
	char *file; /* owned; NULL: stderr */
	int fd;
	bool is_socket, is_file;
	bool torn;	  /* the last line went out in part: the next begins on a line of its own */
	uint64_t size;	  /* of the file, as far as we know: others may write to it, too */
	uint64_t look_at; /* at that size we look how large it is */
	uint64_t from;	  /* what does not count: it was there when the file could not be moved */
	uint64_t max_size;
	unsigned backup_count, writers;
};

/* On error the sink stays as it was. writers: processes that write to the file, about as much each; 0: one. */
bool log_sink_open(struct log_sink *s, const char *file, uint64_t max_size, unsigned backup_count,
		   unsigned writers, struct error *err);
/* Opens the file by its name anew. */
bool log_sink_reopen(struct log_sink *s, struct error *err);
void log_sink_close(struct log_sink *s); /* is stderr then */
/* n <= PIPE_BUF bytes with their '\n'; line[-1] is a '\n' too. False: it is lost, or a part of it. */
bool log_sink_write(struct log_sink *s, const char *line, size_t n);

#endif

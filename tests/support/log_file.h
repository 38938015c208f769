/* The log into a file of a directory that each test has for itself: setup and teardown are log_file_set_up, .._tear_down. */
#ifndef TESTS_LOG_FILE_H
#define TESTS_LOG_FILE_H

#include <sys/types.h>

#include "base/log.h"

extern char log_file[64]; /* its path */

/* Opens the log with these options, into log_file. */
void log_file_open(struct log_options o);
/* All of a file, until the next call; NULL if there is none. */
char *log_file_text(const char *name);
/* Of log_file, or of its n-th backup; -1 if there is none. */
off_t log_file_size(int backup);
/* What stands in a line behind `before` and the time, whose form is checked here. */
const char *log_file_behind_time(const char *line, const char *before);

int log_file_set_up(void **state);
int log_file_tear_down(void **state);

#endif

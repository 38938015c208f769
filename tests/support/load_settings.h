/*
 * The real settings, loaded as main() would: the words of a command line and of an environment, and a file. Setup and
 * teardown of each test are settings_set_up and settings_tear_down.
 */
#ifndef TESTS_LOAD_SETTINGS_H
#define TESTS_LOAD_SETTINGS_H

#include "proxy/settings.h"

extern struct settings s; /* of the last load */
extern struct error err;  /* likewise */
extern char *printed;	  /* what it wrote */
extern char file[64];	  /* holds what write_file wrote */

/* "host --port 1" and "LOG_LEVEL=debug": words between blanks. */
enum settings_outcome load(enum command command, const char *args, const char *env);
enum settings_outcome load_host(const char *args, const char *env);
void write_file(const char *text);

int settings_set_up(void **state);
int settings_tear_down(void **state);

#endif

#include "load_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define MAX_WORDS 16

struct settings s;
struct error err;
char *printed;
char file[64];

/* Words between blanks, as argv or envp. */
static void words(char *text, char **out)
{
	size_t n = 0;
	for (char *w = strtok(text, " "); w && n < MAX_WORDS - 1; w = strtok(NULL, " "))
		out[n++] = w;
	out[n] = NULL;
}

enum settings_outcome load(enum command command, const char *args, const char *env)
{
	char *a = mem_text(args), *e = mem_text(env), *argv[MAX_WORDS], *envp[MAX_WORDS];
	size_t n;
	int argc = 0;
	words(a, argv);
	words(e, envp);
	while (argv[argc])
		argc++;
	settings_free(&s);
	free(printed);
	FILE *out = open_memstream(&printed, &n);
	err.text[0] = '\0';
	enum settings_outcome outcome = settings_load_from(argc, argv, envp, out, command, &s, &err);
	fclose(out);
	free(a);
	free(e);
	return outcome;
}

enum settings_outcome load_host(const char *args, const char *env)
{
	return load(CMD_HOST, args, env);
}

void write_file(const char *text)
{
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

int settings_set_up(void **state)
{
	(void)state;
	strcpy(file, "/tmp/test_settings.XXXXXX");
	int fd = mkstemp(file);
	return fd < 0 || close(fd);
}

int settings_tear_down(void **state)
{
	(void)state;
	settings_free(&s);
	free(printed);
	printed = NULL;
	return unlink(file);
}

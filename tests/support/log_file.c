#include "log_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_log.XXXXXX";
char log_file[64];

char *log_file_text(const char *name)
{
	static char text[1 << 20];
	FILE *f = fopen(name, "r");
	if (!f)
		return NULL;
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	return text;
}

void log_file_open(struct log_options o)
{
	struct error err;
	o.file = log_file;
	assert_true(log_open(&o, &err));
}

const char *log_file_behind_time(const char *line, const char *before)
{
	assert_memory_equal(line, before, strlen(before));
	const char *t = line + strlen(before);
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	for (size_t i = 0; form[i]; i++)
		assert_true(form[i] == 'd' ? t[i] >= '0' && t[i] <= '9' : t[i] == form[i]);
	return t + strlen(form);
}

int log_file_set_up(void **state)
{
	(void)state;
	strcpy(strrchr(dir, '.'), ".XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(log_file, sizeof log_file, "%s/log", dir);
	return 0;
}

int log_file_tear_down(void **state)
{
	(void)state;
	char name[80];
	log_close();
	unlink(log_file);
	for (int i = 1; i < 6; i++) {
		snprintf(name, sizeof name, "%s.%d", log_file, i);
		unlink(name);
	}
	return rmdir(dir);
}

off_t log_file_size(int backup)
{
	char name[80];
	struct stat st;
	snprintf(name, sizeof name, backup ? "%s.%d" : "%s", log_file, backup);
	return stat(name, &st) == 0 ? st.st_size : -1;
}

/* The log's file: rotated, alone or beside another process, moved away, not to be opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log_sink.h"
#include "support/log_file.h"

static void test_rotation(void **state)
{
	(void)state;
	log_file_open((struct log_options){.level = LOG_INFO, .max_size = 400, .backup_count = 3});
	for (int i = 0; i < 40; i++) {
		log_write(LOG_INFO, "rotating", LOG_INT("line", i));
		assert_true(log_file_size(0) > 0 && log_file_size(0) <= 400);
	}
	assert_true(log_file_size(1) > 200 && log_file_size(2) > 200 && log_file_size(3) > 200);
	assert_int_equal(log_file_size(4), -1);
	/* The last line is in the file, the one before the rotation at the end of the backup. */
	assert_non_null(strstr(log_file_text(log_file), "line=39\n"));
	char name[80];
	int first;
	assert_int_equal(sscanf(strstr(log_file_text(log_file), "line="), "line=%d", &first), 1);
	snprintf(name, sizeof name, "%s.1", log_file);
	char want[32];
	snprintf(want, sizeof want, "line=%d\n", first - 1);
	char *older = log_file_text(name);
	assert_string_equal(older + strlen(older) - strlen(want), want);
}

/* Each knows what it has written itself; the file is full when both together have filled it. */
static void test_rotation_by_two(void **state)
{
	(void)state;
	struct log_sink sinks[2] = {{.fd = -1}, {.fd = -1}};
	static const char text[] = "\na line of twenty-six bytes\n";
	struct error err;
	for (int i = 0; i < 2; i++)
		assert_true(log_sink_open(&sinks[i], log_file, 4000, 9, 2, &err));
	for (int i = 0; i < 600; i++) {
		struct log_sink *one = &sinks[i % 7 == 0]; /* one has less to say */
		assert_true(log_sink_write(one, text + 1, sizeof text - 2));
	}
	off_t all = log_file_size(0);
	for (int backup = 1; log_file_size(backup) > 0; backup++) {
		assert_true(log_file_size(backup) > 3900 && log_file_size(backup) <= 4300);
		all += log_file_size(backup);
	}
	assert_int_equal(all, 600 * (sizeof text - 2));
	for (int i = 0; i < 2; i++)
		log_sink_close(&sinks[i]);
}

static void test_rotation_without_backups(void **state)
{
	(void)state;
	log_file_open((struct log_options){.level = LOG_INFO, .max_size = 300});
	for (int i = 0; i < 40; i++)
		log_write(LOG_INFO, "rotating", LOG_INT("line", i));
	assert_true(log_file_size(0) > 0 && log_file_size(0) <= 300);
	assert_int_equal(log_file_size(1), -1);
	assert_non_null(strstr(log_file_text(log_file), "line=39\n"));
}

/* Another process that writes to the same file has rotated it: it must not be rotated once more. */
static void test_rotated_by_another(void **state)
{
	(void)state;
	char name[80];
	snprintf(name, sizeof name, "%s.1", log_file);
	log_file_open((struct log_options){.level = LOG_INFO, .max_size = 200, .backup_count = 2});
	log_write(LOG_INFO, "first");
	log_write(LOG_INFO, "second");
	assert_int_equal(rename(log_file, name), 0);
	FILE *other = fopen(log_file, "w");
	fputs("from the other\n", other);
	fclose(other);
	for (int i = 0; i < 4 && log_file_size(2) < 0 && !strstr(log_file_text(log_file), "third"); i++)
		log_write(LOG_INFO, "third");
	assert_memory_equal(log_file_text(log_file), "from the other\n", 15);
	assert_non_null(strstr(log_file_text(log_file), "third"));
	assert_int_equal(log_file_size(2), -1);
}

static void test_reopen(void **state)
{
	(void)state;
	char moved[80];
	snprintf(moved, sizeof moved, "%s.1", log_file);
	log_file_open((struct log_options){.level = LOG_INFO});
	log_write(LOG_INFO, "before");
	assert_int_equal(rename(log_file, moved), 0);
	log_write(LOG_INFO, "between");
	assert_true(log_reopen(NULL));
	log_write(LOG_INFO, "after");
	assert_null(strstr(log_file_text(log_file), "between"));
	assert_non_null(strstr(log_file_text(log_file), "after"));
	assert_non_null(strstr(log_file_text(moved), "between"));
}

static void test_open_error(void **state)
{
	(void)state;
	struct error err;
	struct log_options o = {.level = LOG_INFO, .file = "/nonexistent/x"};
	assert_false(log_open(&o, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_string_equal(err.text,
			    "cannot open the log file \"/nonexistent/x\": No such file or directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, log_file_set_up, log_file_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rotation),
		TEST(test_rotation_by_two),
		TEST(test_rotation_without_backups),
		TEST(test_rotated_by_another),
		TEST(test_reopen),
		TEST(test_open_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

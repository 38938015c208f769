/* Where the log can write no more, on a full disk or into a pipe or socket nobody reads: lines are lost, and told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/log_file.h"

/* A disk that is full in the middle of a line: nothing is glued to the half of it, the loss is told. */
static void test_disk_full(void **state)
{
	(void)state;
	struct rlimit old, full;
	log_file_open((struct log_options){.level = LOG_INFO});
	log_write(LOG_INFO, "fits");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	full = old;
	full.rlim_cur = (rlim_t)log_file_size(0) + 20;
	uint64_t before = log_dropped();
	setrlimit(RLIMIT_FSIZE, &full);
	log_write(LOG_INFO, "half");
	log_write(LOG_INFO, "nothing");
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(log_dropped() - before, 2);
	log_write(LOG_INFO, "again");
	log_write(LOG_INFO, "told");
	char *text = log_file_text(log_file);
	char *half = strchr(text, '\n') + 1, *again = strchr(half, '\n') + 1;
	assert_int_equal(again - half, 21);
	char want[80];
	snprintf(want, sizeof want, " level=info msg=again dropped=2\n");
	char *told = strchr(again, '\n') + 1;
	assert_string_equal(log_file_behind_time(told, "time="), " level=info msg=told\n");
	*told = '\0';
	assert_string_equal(log_file_behind_time(again, "time="), want);
}

static int real_stderr;

static void stderr_to(int fd)
{
	real_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	struct error err;
	assert_true(log_open(&(struct log_options){.level = LOG_INFO}, &err));
}

static void stderr_back(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
}

/* Nobody reads stderr: lines are lost, the caller does not wait; and once somebody reads it is told. */
static void flood(int reader, int writer)
{
	char text[65536];
	uint64_t before = log_dropped();
	stderr_to(writer);
	for (int i = 0; i < 10000; i++)
		log_write(LOG_INFO, "flood", LOG_INT("line", i),
			  LOG_STR("padding", "0123456789012345678901234567890"));
	uint64_t lost = log_dropped() - before;
	assert_true(lost > 0 && lost < 10000);
	fcntl(reader, F_SETFL, O_NONBLOCK);
	while (read(reader, text, sizeof text) > 0)
		;
	log_write(LOG_INFO, "after");
	stderr_back();
	char want[64];
	snprintf(want, sizeof want, "msg=after dropped=%llu\n", (unsigned long long)lost);
	ssize_t n = read(reader, text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, want));
	close(reader);
	close(writer);
}

static void test_full_pipe(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	flood(fds[0], fds[1]);
}

static void test_full_socket(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	flood(fds[0], fds[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, log_file_set_up, log_file_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_disk_full),
		TEST(test_full_pipe),
		TEST(test_full_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

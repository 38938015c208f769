/* The log into real files, pipes and sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/log_sink.h"

static char dir[] = "/tmp/test_log.XXXXXX";
static char path[64];

static char *slurp(const char *name)
{
	static char text[1 << 20];
	FILE *f = fopen(name, "r");
	if (!f)
		return NULL;
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void open_log(struct log_options o)
{
	struct error err;
	o.file = path;
	assert_true(log_open(&o, &err));
}

/* What stands behind the time, whose form is checked here. */
static const char *behind_time(const char *line, const char *before)
{
	assert_memory_equal(line, before, strlen(before));
	const char *t = line + strlen(before);
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	for (size_t i = 0; form[i]; i++)
		assert_true(form[i] == 'd' ? t[i] >= '0' && t[i] <= '9' : t[i] == form[i]);
	return t + strlen(form);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(strrchr(dir, '.'), ".XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof path, "%s/log", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char name[80];
	log_close();
	unlink(path);
	for (int i = 1; i < 6; i++) {
		snprintf(name, sizeof name, "%s.%d", path, i);
		unlink(name);
	}
	return rmdir(dir);
}

static void test_logfmt(void **state)
{
	(void)state;
	open_log((struct log_options){.level = LOG_INFO, .role = "host"});
	log_write(LOG_INFO, "exchange", LOG_STR("id", "7f"), LOG_INT("status", -200),
		  LOG_INT("least", INT64_MIN), LOG_INT("zero", 0), LOG_UINT("n", UINT64_MAX),
		  LOG_MS("took", 1234567), LOG_MS("short", 7), LOG_BOOL("ok", true), LOG_STR("none", NULL),
		  LOG_STR("empty", ""));
	assert_string_equal(behind_time(slurp(path), "time="),
			    " level=info role=host msg=exchange id=7f status=-200 least=-9223372036854775808 "
			    "zero=0 n=18446744073709551615 "
			    "took=1234.567 short=0.007 ok=true empty=\"\"\n");
}

static void test_json(void **state)
{
	(void)state;
	open_log((struct log_options){.level = LOG_INFO, .format = LOG_JSON, .role = "enclave"});
	log_write(LOG_WARN, "it broke", LOG_STR("id", "7f"), LOG_INT("status", 502), LOG_BOOL("ok", false));
	log_write(LOG_INFO, "bare");
	char *text = slurp(path);
	char *second = strchr(text, '\n') + 1;
	assert_string_equal(behind_time(second, "{\"time\":\""),
			    "\",\"level\":\"info\",\"role\":\"enclave\",\"msg\":\"bare\"}\n");
	*second = '\0';
	assert_string_equal(behind_time(text, "{\"time\":\""),
			    "\",\"level\":\"warn\",\"role\":\"enclave\",\"msg\":\"it broke\",\"id\":\"7f\","
			    "\"status\":502,\"ok\":false}\n");
}

static void test_error_fields(void **state)
{
	(void)state;
	struct error e;
	error_set_hop(&e, ERR_DNS, HOP_TUNNEL, "no such name");
	open_log((struct log_options){.level = LOG_INFO});
	log_write(LOG_ERROR, "failed", LOG_ERR(&e));
	assert_string_equal(behind_time(slurp(path), "time="),
			    " level=error msg=failed error=dns hop=tunnel detail=\"no such name\"\n");
}

/* No value can end a line, a field or a quote. */
static void test_injection(void **state)
{
	(void)state;
	static const struct {
		struct span in;
		const char *logfmt, *json;
	} cases[] = {
		{SPAN("a\nlevel=error"), "\"a\\nlevel=error\"", "\"a\\nlevel=error\""},
		{SPAN("a\r\n\tb"), "\"a\\r\\n\\tb\"", "\"a\\r\\n\\tb\""},
		{SPAN("\" x=\""), "\"\\\" x=\\\"\"", "\"\\\" x=\\\"\""},
		{SPAN("back\\"), "\"back\\\\\"", "\"back\\\\\""},
		{SPAN("a=b"), "\"a=b\"", "\"a=b\""},
		{SPAN("\x1b[2J"), "\"\\u001b[2J\"", "\"\\u001b[2J\""},
		{SPAN("\x7f"), "\"\\u007f\"", "\"\\u007f\""},
		{SPAN("nul\0nul"), "\"nul\\u0000nul\"", "\"nul\\u0000nul\""},
		{SPAN("b\xc3\xbc"), "\"b\xc3\xbc\"", "\"b\xc3\xbc\""},
		{SPAN("\xff"), "\"\xef\xbf\xbd\"", "\"\xef\xbf\xbd\""},
		{SPAN("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SPAN("\xc2\x9b"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SPAN("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{SPAN("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
		 "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
			char want[200];
			unlink(path);
			open_log((struct log_options){.level = LOG_INFO, .format = (enum log_format)format});
			log_write(LOG_INFO, "x", LOG_SPAN("v", cases[i].in));
			snprintf(want, sizeof want,
				 format == LOG_JSON ? "\",\"level\":\"info\",\"msg\":\"x\",\"v\":%s}\n"
						    : " level=info msg=x v=%s\n",
				 format == LOG_JSON ? cases[i].json : cases[i].logfmt);
			assert_string_equal(
				behind_time(slurp(path), format == LOG_JSON ? "{\"time\":\"" : "time="),
				want);
		}
	}
}

static int evaluated;

static int64_t count_evaluation(void)
{
	return ++evaluated;
}

static void test_levels(void **state)
{
	(void)state;
	open_log((struct log_options){.level = LOG_WARN});
	evaluated = 0;
	log_write(LOG_DEBUG, "no", LOG_INT("n", count_evaluation()));
	log_write(LOG_INFO, "no", LOG_INT("n", count_evaluation()));
	assert_int_equal(evaluated, 0);
	log_write(LOG_WARN, "yes", LOG_INT("n", count_evaluation()));
	log_write(LOG_ERROR, "yes", LOG_INT("n", count_evaluation()));
	assert_int_equal(evaluated, 2);
	assert_null(strstr(slurp(path), "no"));
}

static void test_long_fields(void **state)
{
	(void)state;
	char big[LOG_LINE_MAX * 2];
	memset(big, '"', sizeof big);
	for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
		unlink(path);
		open_log((struct log_options){.level = LOG_INFO, .format = (enum log_format)format});
		log_write(LOG_INFO, "x", LOG_SPAN("big", ((struct span){big, sizeof big})),
			  LOG_INT("after", 1));
		char *text = slurp(path);
		assert_null(strstr(text, "big"));
		assert_non_null(strstr(text, format == LOG_JSON ? ",\"after\":1,\"truncated\":true}\n"
								: " after=1 truncated=true\n"));
		/* Every length around the limit: one whole line, no longer than promised. */
		for (size_t n = LOG_LINE_MAX / 2 - 200; n < LOG_LINE_MAX / 2 + 10; n++) {
			unlink(path);
			assert_true(log_reopen(NULL));
			log_write(LOG_INFO, "x", LOG_SPAN("big", ((struct span){big, n})));
			text = slurp(path);
			size_t len = strlen(text);
			assert_true(len <= LOG_LINE_MAX);
			assert_ptr_equal(strchr(text, '\n'), text + len - 1);
			assert_true((strstr(text, "truncated") != NULL) == (strstr(text, "big") == NULL));
		}
	}
	assert_int_equal(log_dropped(), 0);
}

static off_t size_of(int backup)
{
	char name[80];
	struct stat st;
	snprintf(name, sizeof name, backup ? "%s.%d" : "%s", path, backup);
	return stat(name, &st) == 0 ? st.st_size : -1;
}

static void test_rotation(void **state)
{
	(void)state;
	open_log((struct log_options){.level = LOG_INFO, .max_size = 400, .backup_count = 3});
	for (int i = 0; i < 40; i++) {
		log_write(LOG_INFO, "rotating", LOG_INT("line", i));
		assert_true(size_of(0) > 0 && size_of(0) <= 400);
	}
	assert_true(size_of(1) > 200 && size_of(2) > 200 && size_of(3) > 200);
	assert_int_equal(size_of(4), -1);
	/* The last line is in the file, the one before the rotation at the end of the backup. */
	assert_non_null(strstr(slurp(path), "line=39\n"));
	char name[80];
	int first;
	assert_int_equal(sscanf(strstr(slurp(path), "line="), "line=%d", &first), 1);
	snprintf(name, sizeof name, "%s.1", path);
	char want[32];
	snprintf(want, sizeof want, "line=%d\n", first - 1);
	char *older = slurp(name);
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
		assert_true(log_sink_open(&sinks[i], path, 4000, 9, 2, &err));
	for (int i = 0; i < 600; i++) {
		struct log_sink *one = &sinks[i % 7 == 0]; /* one has less to say */
		assert_true(log_sink_write(one, text + 1, sizeof text - 2));
	}
	off_t all = size_of(0);
	for (int backup = 1; size_of(backup) > 0; backup++) {
		assert_true(size_of(backup) > 3900 && size_of(backup) <= 4300);
		all += size_of(backup);
	}
	assert_int_equal(all, 600 * (sizeof text - 2));
	for (int i = 0; i < 2; i++)
		log_sink_close(&sinks[i]);
}

static void test_rotation_without_backups(void **state)
{
	(void)state;
	open_log((struct log_options){.level = LOG_INFO, .max_size = 300});
	for (int i = 0; i < 40; i++)
		log_write(LOG_INFO, "rotating", LOG_INT("line", i));
	assert_true(size_of(0) > 0 && size_of(0) <= 300);
	assert_int_equal(size_of(1), -1);
	assert_non_null(strstr(slurp(path), "line=39\n"));
}

/* Another process that writes to the same file has rotated it: it must not be rotated once more. */
static void test_rotated_by_another(void **state)
{
	(void)state;
	char name[80];
	snprintf(name, sizeof name, "%s.1", path);
	open_log((struct log_options){.level = LOG_INFO, .max_size = 200, .backup_count = 2});
	log_write(LOG_INFO, "first");
	log_write(LOG_INFO, "second");
	assert_int_equal(rename(path, name), 0);
	FILE *other = fopen(path, "w");
	fputs("from the other\n", other);
	fclose(other);
	for (int i = 0; i < 4 && size_of(2) < 0 && !strstr(slurp(path), "third"); i++)
		log_write(LOG_INFO, "third");
	assert_memory_equal(slurp(path), "from the other\n", 15);
	assert_non_null(strstr(slurp(path), "third"));
	assert_int_equal(size_of(2), -1);
}

static void test_reopen(void **state)
{
	(void)state;
	char moved[80];
	snprintf(moved, sizeof moved, "%s.1", path);
	open_log((struct log_options){.level = LOG_INFO});
	log_write(LOG_INFO, "before");
	assert_int_equal(rename(path, moved), 0);
	log_write(LOG_INFO, "between");
	assert_true(log_reopen(NULL));
	log_write(LOG_INFO, "after");
	assert_null(strstr(slurp(path), "between"));
	assert_non_null(strstr(slurp(path), "after"));
	assert_non_null(strstr(slurp(moved), "between"));
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

/* A disk that is full in the middle of a line: nothing is glued to the half of it, the loss is told. */
static void test_disk_full(void **state)
{
	(void)state;
	struct rlimit old, full;
	open_log((struct log_options){.level = LOG_INFO});
	log_write(LOG_INFO, "fits");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	full = old;
	full.rlim_cur = (rlim_t)size_of(0) + 20;
	uint64_t before = log_dropped();
	setrlimit(RLIMIT_FSIZE, &full);
	log_write(LOG_INFO, "half");
	log_write(LOG_INFO, "nothing");
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(log_dropped() - before, 2);
	log_write(LOG_INFO, "again");
	log_write(LOG_INFO, "told");
	char *text = slurp(path);
	char *half = strchr(text, '\n') + 1, *again = strchr(half, '\n') + 1;
	assert_int_equal(again - half, 21);
	char want[80];
	snprintf(want, sizeof want, " level=info msg=again dropped=2\n");
	char *told = strchr(again, '\n') + 1;
	assert_string_equal(behind_time(told, "time="), " level=info msg=told\n");
	*told = '\0';
	assert_string_equal(behind_time(again, "time="), want);
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

static void test_errno_kept(void **state)
{
	(void)state;
	open_log((struct log_options){.level = LOG_INFO});
	errno = ENOTTY;
	log_write(LOG_INFO, "x");
	assert_int_equal(errno, ENOTTY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_logfmt),
		TEST(test_json),
		TEST(test_error_fields),
		TEST(test_injection),
		TEST(test_levels),
		TEST(test_long_fields),
		TEST(test_rotation),
		TEST(test_rotation_by_two),
		TEST(test_rotation_without_backups),
		TEST(test_rotated_by_another),
		TEST(test_reopen),
		TEST(test_open_error),
		TEST(test_disk_full),
		TEST(test_full_pipe),
		TEST(test_full_socket),
		TEST(test_errno_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

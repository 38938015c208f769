/* Each rule tried in a child that has entered the sandbox: what is on the list works, what is not ends it. */
#include "base/sandbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

static char directory[] = "/tmp/np-sandbox-XXXXXX";

static struct sandbox_rules rules(unsigned allow)
{
	return (struct sandbox_rules){.mode = SANDBOX_ENFORCE, .allow = allow};
}

static void in_directory(char *out, size_t room, const char *name)
{
	CHECK(snprintf(out, room, "%s/%s", directory, name) < (int)room);
}

#define KILLED (128 + SIGSYS)

/* How a child ends that does `act` in the sandbox: its status, or 128 + the signal. */
static int after(const struct sandbox_rules *r, int (*act)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct error err;
		if (!sandbox_enter(r, &err)) {
			fprintf(stderr, "%s\n", err.text);
			_exit(99);
		}
		_exit(act());
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int after_plain(int (*act)(void))
{
	struct sandbox_rules r = rules(0);
	return after(&r, act);
}

/* ---- acts: 0 for done, an errno for refused ---- */

static int result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int do_nothing(void)
{
	return 0;
}
static int do_fork(void)
{
	return result(fork());
}
static int do_exec(void)
{
	return result(execl("/bin/true", "true", NULL));
}
static int do_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}
static int do_kill_parent(void)
{
	return result(kill(getppid(), 0));
}
static int do_bind(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	return result(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&any, sizeof any));
}
static int do_listen(void)
{
	return result(listen(socket(AF_INET, SOCK_STREAM, 0), 1));
}
static int do_packet_socket(void)
{
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}
static int do_raise_limit(void)
{
	return result(syscall(SYS_prlimit64, 0, 7, &(uint64_t[2]){10, 10}, NULL));
}
static int do_executable(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}
static int do_executable_later(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED || result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}
static int do_executable_written(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}
static int do_read_passwd(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}
static int do_read_environ(void)
{
	return result(open("/proc/self/environ", O_RDONLY));
}
static int do_write_file(void)
{
	char path[100];
	in_directory(path, sizeof path, "written");
	return result(open(path, O_WRONLY | O_CREAT, 0600));
}
static int do_rename(void)
{
	char from[100], to[100];
	in_directory(from, sizeof from, "written");
	in_directory(to, sizeof to, "renamed");
	return do_write_file() || result(rename(from, to));
}
static int do_write_beside(void)
{
	return result(open("/tmp/np-sandbox-beside", O_WRONLY | O_CREAT, 0600));
}
static int do_unlink(void)
{
	char path[100];
	in_directory(path, sizeof path, "socket");
	return result(unlink(path));
}
static int do_dial(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(1), .sin_addr = {htonl(0x7f000001)}};
	return result(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to));
}
static int do_set_clock(void)
{
	return result(clock_settime(CLOCK_REALTIME, &(struct timespec){-1, 0}));
}
static int do_set_option(void)
{
	return result(setsockopt(socket(AF_INET, SOCK_STREAM, 0), 255 /* IPPROTO_RAW */, 1, &(int){1}, 4));
}
static int do_abort(void)
{
	abort();
}
#ifdef __x86_64__
/* getpid by its 32-bit number, which is writev's here: the filter must look at the architecture first. */
static int do_32_bit_call(void)
{
	long rc;
	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20) : "memory");
	return rc < 0;
}
#endif

static void *thread(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}
static int do_thread(void)
{
	pthread_t t;
	int ran = 0;
	return pthread_create(&t, NULL, thread, &ran) || pthread_join(t, NULL) || !ran;
}
static int do_fork_in_thread(void)
{
	pthread_t t;
	pthread_create(&t, NULL, (void *(*)(void *))(uintptr_t)do_fork, NULL);
	return pthread_join(t, NULL);
}
static int do_resolve(void)
{
	struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
	return getaddrinfo("localhost", "80", &hints, &list);
}

/* ---- tests ---- */

static void test_everyday_calls_are_done(void **state)
{
	(void)state;
	assert_int_equal(after_plain(do_nothing), 0);
	assert_int_equal(after_plain(do_thread), 0);
}

static void test_what_nobody_needs_ends_the_process(void **state)
{
	(void)state;
	static int (*const acts[])(void) = {do_fork,
					    do_exec,
					    do_ptrace,
					    do_kill_parent,
					    do_bind,
					    do_listen,
					    do_packet_socket,
					    do_raise_limit,
					    do_executable,
					    do_executable_later,
					    do_executable_written,
					    do_write_file,
					    do_set_clock,
					    do_set_option,
					    do_fork_in_thread};
	for (size_t i = 0; i < countof(acts); i++)
		if (after_plain(acts[i]) != KILLED)
			fail_msg("act %zu was not stopped", i);
}

static void test_calls_of_another_architecture_end_the_process(void **state)
{
	(void)state;
#ifdef __x86_64__
	/* A kernel without 32-bit calls answers with SIGSEGV by itself. */
	int status = after_plain(do_32_bit_call);
	assert_true(status == KILLED || status == 128 + SIGSEGV);
#endif
}

static void test_our_own_end_is_seen_as_such(void **state)
{
	(void)state;
	assert_int_equal(after_plain(do_abort), 128 + SIGABRT);
}

static void test_reading_fails_softly(void **state)
{
	(void)state;
	assert_int_equal(after_plain(do_read_passwd), EACCES);
}

static void test_names_can_be_resolved(void **state)
{
	(void)state;
	struct sandbox_rules r = rules(SANDBOX_NAMES);
	sandbox_path(&r, "/etc", SANDBOX_READ);
	r.dial = true;
	assert_int_equal(after(&r, do_resolve), 0);
	assert_int_equal(after(&r, do_read_passwd), 0);
	assert_int_equal(after(&r, do_executable), 0); /* modules of the resolver */
	assert_int_equal(after(&r, do_executable_written), KILLED);
	assert_int_equal(after(&r, do_executable_later), KILLED);
	assert_int_equal(after(&r, do_write_file), KILLED);
	assert_int_equal(after(&r, do_exec), KILLED);
}

/* Kernels without Landlock: the filter of calls is all there is. */
static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static void test_files_are_those_that_were_named(void **state)
{
	(void)state;
	if (!has_landlock())
		skip();
	struct sandbox_rules r = rules(SANDBOX_NAMES | SANDBOX_LOG_FILE);
	assert_int_equal(after(&r, do_read_passwd), EACCES);
	assert_int_equal(after(&r, do_write_file), EACCES);
	sandbox_path(&r, directory, SANDBOX_WRITE);
	assert_int_equal(after(&r, do_write_file), 0);
	assert_int_equal(after(&r, do_rename), 0);
	assert_int_equal(after(&r, do_write_beside), EACCES);
	assert_int_equal(after(&r, do_read_environ), EACCES);
}

static void test_only_a_socket_of_ours_can_be_removed(void **state)
{
	(void)state;
	if (!has_landlock())
		skip();
	char path[100];
	in_directory(path, sizeof path, "socket");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	struct sandbox_rules r = rules(0);
	assert_int_equal(after(&r, do_unlink), EACCES);
	sandbox_path(&r, directory, SANDBOX_REMOVE);
	assert_int_equal(after(&r, do_unlink), 0);
}

static void test_ports_are_dialled_where_there_is_a_use(void **state)
{
	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 4)
		skip();
	struct sandbox_rules r = rules(0);
	assert_int_equal(after(&r, do_dial), EACCES);
	r.dial = true;
	assert_int_equal(after(&r, do_dial), ECONNREFUSED);
}

static void test_log_only(void **state)
{
	(void)state;
	struct sandbox_rules r = rules(0);
	r.mode = SANDBOX_LOG;
	assert_int_equal(after(&r, do_listen), 0);
}

static void test_off(void **state)
{
	(void)state;
	struct sandbox_rules r = rules(0);
	r.mode = SANDBOX_OFF;
	assert_int_equal(after(&r, do_listen), 0);
	assert_int_equal(after(&r, do_read_passwd), 0);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	(void)state;
	static const char *const names[] = {"written", "renamed", "socket"};
	for (size_t i = 0; i < countof(names); i++) {
		char path[100];
		in_directory(path, sizeof path, names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everyday_calls_are_done),
		cmocka_unit_test(test_what_nobody_needs_ends_the_process),
		cmocka_unit_test(test_calls_of_another_architecture_end_the_process),
		cmocka_unit_test(test_our_own_end_is_seen_as_such),
		cmocka_unit_test(test_reading_fails_softly),
		cmocka_unit_test(test_names_can_be_resolved),
		cmocka_unit_test(test_files_are_those_that_were_named),
		cmocka_unit_test(test_only_a_socket_of_ours_can_be_removed),
		cmocka_unit_test(test_ports_are_dialled_where_there_is_a_use),
		cmocka_unit_test(test_log_only),
		cmocka_unit_test(test_off),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

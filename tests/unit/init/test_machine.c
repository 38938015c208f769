/* The heartbeat's two bytes; an application that is started, restarted and stopped. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "init/app.h"
#include "init/machine.h"

/* ---- heartbeat ---- */

static bool beat(const char *answer, size_t n, char *sent, struct error *err)
{
	int fd[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	if (n)
		assert_int_equal(write(fd[1], answer, n), n);
	shutdown(fd[1], SHUT_WR);
	bool good = machine_heartbeat_on(fd[0], err);
	assert_int_equal(read(fd[1], sent, 8), 1);
	close(fd[0]);
	close(fd[1]);
	return good;
}

static void test_heartbeat(void **state)
{
	(void)state;
	struct error err;
	char sent[8];
	assert_true(beat("\xb7", 1, sent, &err));
	assert_int_equal((unsigned char)sent[0], 0xb7);
	assert_false(beat("\xb8", 1, sent, &err));
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_false(beat("", 0, sent, &err));
}

/* ---- the application ---- */

struct run {
	struct text_list command, environment;
	struct app *app;
	uint64_t now; /* a clock of our own: pauses take no time */
	int ends, status;
};

static void run_start(struct run *r, const char *script, bool once)
{
	*r = (struct run){.now = 1000};
	text_list_add(&r->command, "/bin/sh");
	text_list_add(&r->command, "-c");
	text_list_add(&r->command, script);
	text_list_add(&r->environment, "COLOUR=green");
	const struct app_config config = {.command = &r->command,
					  .environment = &r->environment,
					  .proxy = "http://127.0.0.1:8080",
					  .once = once};
	r->app = app_new(&config, r->now);
	assert_int_equal(app_tend(r->app, r->now), UINT64_MAX);
	assert_true(app_running(r->app));
}

/* Its end, and the pause behind that; UINT64_MAX: it stays so. */
static uint64_t run_once(struct run *r)
{
	pid_t pid = wait(&r->status);
	assert_true(pid > 0);
	assert_false(app_ended(r->app, pid + 1, r->status, r->now)); /* another's */
	assert_true(app_ended(r->app, pid, r->status, r->now));
	assert_false(app_running(r->app));
	r->ends++;
	return app_tend(r->app, r->now);
}

static void run_end(struct run *r)
{
	app_free(r->app);
	text_list_free(&r->command);
	text_list_free(&r->environment);
}

static void test_app_once(void **state)
{
	(void)state;
	struct run r;
	run_start(&r,
		  "test \"$HTTP_PROXY $https_proxy $COLOUR\" = 'http://127.0.0.1:8080 http://127.0.0.1:8080 "
		  "green' && "
		  "exit 7",
		  true);
	assert_false(app_over(r.app));
	assert_int_equal(run_once(&r), UINT64_MAX);
	assert_true(WIFEXITED(r.status) && WEXITSTATUS(r.status) == 7);
	assert_true(app_over(r.app));
	assert_int_equal(app_restarts(r.app), 0);
	run_end(&r);
}

static void test_app_again(void **state)
{
	(void)state;
	struct run r;
	run_start(&r, "exit 0", false);
	for (uint64_t pause = 250; pause <= 1000; pause *= 2) {
		assert_int_equal(run_once(&r), pause);
		r.now += pause;
		assert_int_equal(app_tend(r.app, r.now), UINT64_MAX);
		assert_true(app_running(r.app));
	}
	assert_int_equal(app_restarts(r.app), 3);
	assert_false(app_over(r.app));
	app_stop(r.app, SIGTERM);
	assert_int_equal(run_once(&r), UINT64_MAX);
	run_end(&r);
}

static void test_app_stop(void **state)
{
	(void)state;
	struct run r;
	run_start(&r, "exec sleep 1000", true);
	app_stop(r.app, SIGKILL);
	assert_int_equal(run_once(&r), UINT64_MAX);
	assert_true(WIFSIGNALED(r.status));
	assert_false(app_over(r.app)); /* we wanted it so */
	assert_int_equal(app_restarts(r.app), 0);
	run_end(&r);
}

static void test_no_modules(void **state)
{
	(void)state;
	machine_load_modules("/nonexistent");
	machine_load_modules("/etc/passwd");
}

int main(void)
{
	log_threshold = LOG_ERROR;
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_heartbeat), cmocka_unit_test(test_app_once),
					   cmocka_unit_test(test_app_again), cmocka_unit_test(test_app_stop),
					   cmocka_unit_test(test_no_modules)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The heartbeat's two bytes; an application that is started, restarted and stopped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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

struct watch_end {
	int ends, status;
};

static void on_end(void *arg, int status)
{
	struct watch_end *w = arg;
	w->ends++;
	w->status = status;
}

struct run {
	struct loop *loop;
	struct text_list command, environment;
	struct watch_end end;
	struct app *app;
};

static void run_start(struct run *r, const char *script, bool once)
{
	*r = (struct run){.loop = loop_new()};
	text_list_add(&r->command, "/bin/sh");
	text_list_add(&r->command, "-c");
	text_list_add(&r->command, script);
	text_list_add(&r->environment, "COLOUR=green");
	const struct app_config config = {.command = &r->command,
					  .environment = &r->environment,
					  .proxy = "http://127.0.0.1:8080",
					  .once = once,
					  .on_end = on_end,
					  .arg = &r->end};
	r->app = app_start(r->loop, &config);
}

static void run_end(struct run *r)
{
	app_free(r->app);
	loop_free(r->loop);
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
	assert_true(app_running(r.app));
	while (!r.end.ends)
		loop_step(r.loop, 100);
	assert_true(WIFEXITED(r.end.status) && WEXITSTATUS(r.end.status) == 7);
	assert_false(app_running(r.app));
	assert_int_equal(app_restarts(r.app), 0);
	run_end(&r);
}

static void test_app_again(void **state)
{
	(void)state;
	struct run r;
	run_start(&r, "exit 0", false);
	while (app_restarts(r.app) < 2)
		loop_step(r.loop, 100);
	assert_int_equal(r.end.ends, 0);
	run_end(&r);
}

static void test_app_stop(void **state)
{
	(void)state;
	struct run r;
	run_start(&r, "sleep 1000", false);
	app_stop(r.app);
	while (app_running(r.app))
		loop_step(r.loop, 100);
	assert_int_equal(r.end.ends, 0);
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

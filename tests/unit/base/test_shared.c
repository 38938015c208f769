/* Memory and a lock between processes, one of which dies at the worst moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_ring.h"
#include "base/shared.h"

#define CHILDREN 4
#define TURNS	 5000

struct common {
	struct shared_lock lock;
	unsigned count;
};

static void end_child(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Plain additions by several processes: none is lost. */
static void test_one_at_a_time(void **state)
{
	(void)state;
	struct common *c = shared_new(sizeof *c);
	pid_t pids[CHILDREN];
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i])
			continue;
		for (int n = 0; n < TURNS; n++) {
			shared_lock_take(&c->lock);
			c->count++;
			shared_lock_give(&c->lock);
		}
		_exit(0);
	}
	for (int i = 0; i < CHILDREN; i++)
		end_child(pids[i]);
	assert_int_equal(c->count, CHILDREN * TURNS);
	shared_free(c, sizeof *c);
}

static void test_owner_dies(void **state)
{
	(void)state;
	struct common *c = shared_new(sizeof *c);
	assert_true(shared_lock_take(&c->lock));
	shared_lock_give(&c->lock);
	pid_t pid = fork();
	if (pid == 0) {
		shared_lock_take(&c->lock);
		_exit(0);
	}
	end_child(pid);
	assert_false(shared_lock_take(&c->lock)); /* ours, and said so once */
	shared_lock_give(&c->lock);
	assert_true(shared_lock_take(&c->lock));
	shared_lock_give(&c->lock);
	shared_free(c, sizeof *c);
}

/* Lines of several processes come whole. */
static void test_ring(void **state)
{
	(void)state;
	struct log_ring *r = log_ring_new(2 * LOG_LINE_MAX);
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			char line[] = "line of ?\n";
			line[8] = (char)('0' + i);
			log_ring_put(r, line, strlen(line));
			_exit(0);
		}
		end_child(pid);
	}
	char out[LOG_LINE_MAX];
	const char *want = "line of 0\nline of 1\nline of 2\nline of 3\n";
	assert_int_equal(log_ring_take(r, out, sizeof out), strlen(want));
	assert_memory_equal(out, want, strlen(want));
	log_ring_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_owner_dies),
		cmocka_unit_test(test_ring),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

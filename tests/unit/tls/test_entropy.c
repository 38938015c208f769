/* Processes that were forked from one must not draw the same random bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls/entropy.h"

#define BYTES 32

/* What a child draws first. */
static void draw(uint8_t out[BYTES])
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		entropy_forked();
		entropy_fill(out, BYTES);
		_exit(write(ends[1], out, BYTES) == BYTES ? 0 : 1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], out, BYTES), BYTES);
	close(ends[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_forked(void **state)
{
	(void)state;
	struct error err;
	uint8_t one[BYTES], other[BYTES], own[BYTES];
	assert_true(entropy_start(&err));
	draw(one);
	draw(other);
	entropy_fill(own, BYTES);
	assert_memory_not_equal(one, other, BYTES);
	assert_memory_not_equal(one, own, BYTES);
	assert_memory_not_equal(other, own, BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_forked)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

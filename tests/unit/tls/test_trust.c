/* Where trusted roots come from: files that hold none, and the system's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tls/trust.h"

static void trust_errors(void **state)
{
	(void)state;
	char path[] = "/tmp/np-bad-XXXXXX";
	int fd = mkstemp(path);
	struct trust *t = trust_new();
	struct error err;
	assert_false(trust_add_file(t, path, &err));
	assert_non_null(strstr(err.text, "no certificate in it"));
	const char *text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_false(trust_add_file(t, path, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "certificate 1 cannot be read"));
	unlink(path);
	assert_false(trust_add_file(t, path, &err));
	assert_non_null(strstr(err.text, "No such file"));
	assert_false(trust_add_directory(t, path, &err));
	trust_free(t);
}

static void the_system_roots_are_usable(void **state)
{
	(void)state;
	struct trust *t = trust_new();
	struct error err;
	size_t skipped;
	if (!trust_add_system(t, &skipped, &err)) {
		trust_free(t);
		skip();
	}
	assert_int_equal(skipped, 0);
	assert_true(trust_count(t) > 50);
	trust_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trust_errors),
		cmocka_unit_test(the_system_roots_are_usable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Archives byte by byte, and directories of this machine as archives. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "eif/cpio.h"

static void expect(const struct buf *got, const char *want, size_t n)
{
	assert_int_equal(got->n, n);
	assert_memory_equal(got->p, want, n);
}

static void test_bytes(void **state)
{
	(void)state;
	struct buf out;
	struct cpio c;
	buf_init(&out, 4096);
	cpio_init(&c, &out);
	cpio_directory(&c, "etc");
	cpio_file(&c, "etc/a", SPAN("12345"), false);
	static const char want[] = "070701"
				   "00000000" /* inode */
				   "000041ED" /* directory, 755 */
				   "00000000" /* owner */
				   "00000000" /* group */
				   "00000002" /* links */
				   "00000000" /* time */
				   "00000000" /* size */
				   "0000000000000000"
				   "0000000000000000" /* devices */
				   "00000004"	      /* of the name with its 0 */
				   "00000000"
				   "etc\0\0\0" /* 110 + 4 is two short of a multiple of 4 */
				   "070701"
				   "00000001000081A4000000000000000000000001000000000000000500000000"
				   "0000000000000000000000000000000600000000"
				   "etc/a\0"
				   "12345\0\0\0";
	expect(&out, want, sizeof want - 1);
	buf_free(&out);
}

static void test_end(void **state)
{
	(void)state;
	struct buf out;
	struct cpio c;
	buf_init(&out, 4096);
	cpio_init(&c, &out);
	cpio_device(&c, "dev/console", 0600, 5, 1);
	cpio_end(&c);
	assert_int_equal(out.n, 512);
	assert_memory_equal(out.p + 6 + 8, "00002180", 8);
	assert_memory_equal(out.p + 6 + 9 * 8, "0000000500000001", 16);
	assert_non_null(memmem(out.p, out.n, "TRAILER!!!", 11));
	for (size_t i = out.n - 100; i < out.n; i++)
		assert_int_equal(out.p[i], 0);
	buf_free(&out);
}

static void test_cap(void **state)
{
	(void)state;
	struct buf out;
	struct cpio c;
	buf_init(&out, 200);
	cpio_init(&c, &out);
	cpio_file(&c, "a",
		  SPAN("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
		       "567"
		       "89"),
		  true);
	assert_true(buf_full(&out));
	buf_free(&out);
}

/* ---- trees ---- */

static char base[64];

static void make(const char *name, mode_t mode, const char *content)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", base, name);
	if (!content) {
		assert_int_equal(mkdir(path, mode), 0);
		return;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int make_base(void **state)
{
	(void)state;
	strcpy(base, "/tmp/test-cpio-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", base);
	return system(command);
}

static bool archive(struct buf *out, struct error *err)
{
	struct cpio c;
	buf_init(out, 1 << 20);
	cpio_init(&c, out);
	return cpio_tree(&c, base, err);
}

/* The names in the order in which they stand. */
static void names(const struct buf *b, char *out, size_t room)
{
	size_t at = 0, n = 0;
	while (at + 110 < b->n) {
		char digits[9] = {0};
		memcpy(digits, b->p + at + 6 + 6 * 8, 8);
		size_t size = strtoul(digits, NULL, 16);
		memcpy(digits, b->p + at + 6 + 11 * 8, 8);
		size_t name = strtoul(digits, NULL, 16);
		n += (size_t)snprintf(out + n, room - n, "%s ", b->p + at + 110);
		at += (110 + name + 3) / 4 * 4;
		at += (size + 3) / 4 * 4;
	}
}

static void test_tree(void **state)
{
	(void)state;
	struct buf first, second;
	struct error err;
	char list[256];
	make("b", 0700, NULL);
	make("b/z", 04755, "program");
	make("b/a", 0600, "");
	make("a-file", 0444, "x");
	make("B", 0644, "upper case sorts first, whatever the locale");
	char link[128];
	snprintf(link, sizeof link, "%s/c", base);
	assert_int_equal(symlink("b/z", link), 0);
	assert_true(archive(&first, &err));
	names(&first, list, sizeof list);
	assert_string_equal(list, "B a-file b b/a b/z c ");
	/* No set-user-id, no odd modes. */
	assert_non_null(memmem(first.p, first.n, "000081ED", 8));
	assert_null(memmem(first.p, first.n, "000089ED", 8));
	assert_null(memmem(first.p, first.n, "00008124", 8));

	char path[128];
	snprintf(path, sizeof path, "%s/a-file", base);
	const struct timespec other[2] = {{1, 0}, {1, 0}};
	assert_int_equal(utimensat(AT_FDCWD, path, other, 0), 0);
	assert_true(archive(&second, &err));
	expect(&second, first.p, first.n);
	buf_free(&first);
	buf_free(&second);
}

static void test_refused(void **state)
{
	(void)state;
	struct buf out;
	struct error err;
	char path[128];
	snprintf(path, sizeof path, "%s/fifo", base);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(archive(&out, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err.text, "fifo"));
	buf_free(&out);
}

static void test_too_deep(void **state)
{
	(void)state;
	struct buf out;
	struct error err;
	char path[256] = "d";
	for (int i = 0; i < 40; i++) {
		make(path, 0700, NULL);
		strcat(path, "/d");
	}
	assert_false(archive(&out, &err));
	assert_non_null(strstr(err.text, "nested"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_cap),
		cmocka_unit_test_setup_teardown(test_tree, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_refused, make_base, remove_base),
		cmocka_unit_test_setup_teardown(test_too_deep, make_base, remove_base),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

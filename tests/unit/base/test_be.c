#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/be.h"

static void test_read_and_written(void **state)
{
	(void)state;
	static const uint8_t whole[] = {0, 0xf1, 0x82, 0x73, 0x64, 0x55, 0x46, 0x37, 0xa8, 0};
	const uint8_t *p = whole + 1; /* at an odd address, so that alignment does not matter */
	uint8_t out[sizeof whole];
	assert_int_equal(be_u16(p), 0xf182);
	assert_int_equal(be_u24(p), 0xf18273);
	assert_int_equal(be_u32(p), 0xf1827364);
	assert_true(be_u64(p) == UINT64_C(0xf1827364554637a8));
	for (size_t bytes = 0; bytes <= 8; bytes++)
		assert_true(be_number(p, bytes) == (bytes ? be_u64(p) >> 8 * (8 - bytes) : 0));

	memset(out, 0, sizeof out);
	be_put_u32(out + 1, 0xf1827364);
	assert_memory_equal(out, "\0\xf1\x82\x73\x64\0", 6); /* and no byte beside */
	be_put_u64(out + 1, UINT64_C(0xf1827364554637a8));
	assert_memory_equal(out, whole, sizeof whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_read_and_written)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

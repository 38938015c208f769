/*
 * The pool of blocks: warm ones first, memory given back by what nobody needs; and mem_forget, which does it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/block.h"
#include "base/mem.h"

enum { MANY = 10 };

static void test_pool(void **state)
{
	(void)state;
	struct block_pool pool;
	struct block *b[MANY];
	block_pool_init(&pool, MANY - 1);
	for (int i = 0; i < MANY; i++) {
		b[i] = block_get(&pool);
		assert_int_equal(b[i]->len, 0);
		assert_int_equal(block_free_room(b[i]), BLOCK_SIZE);
		memset(b[i]->data, 'x', BLOCK_SIZE);
	}
	for (int i = 0; i < MANY; i++)
		block_put(b[i]);
	assert_int_equal(pool.warm_count, MANY - 1); /* the last one has gone */
	assert_ptr_equal(block_get(&pool), b[MANY - 2]);
	block_put(b[MANY - 2]);

	block_pool_chill(&pool, MANY); /* while they were counted all have been in use */
	assert_int_equal(pool.cold_count, 0);
	struct block *needed = block_get(&pool);
	block_put(needed);
	block_pool_chill(&pool, 3);
	assert_int_equal(pool.cold_count, 3);
	struct block *two[] = {block_get(&pool), block_get(&pool)};
	block_put(two[0]);
	block_put(two[1]);
	block_pool_chill(&pool, MANY); /* two have been needed */
	assert_int_equal(pool.warm_count, 2);
	block_pool_chill(&pool, MANY);
	assert_int_equal(pool.warm_count, 0);
	assert_int_equal(pool.cold_count, MANY - 1);

	struct block *cold = block_get(&pool);
	for (size_t i = 0; i < BLOCK_SIZE; i++)
		assert_int_equal(cold->data[i], 0);
	memset(cold->data, 'y', BLOCK_SIZE);
	block_put(cold);
	assert_int_equal(pool.warm_count, 1);
	block_pool_free(&pool);
}

/* From odd places, for odd lengths: just those bytes are gone, whole pages or not. */
static void test_forget(void **state)
{
	(void)state;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 6 * page;
	unsigned char *p = mem_alloc(size);
	size_t starts[] = {0, 1, page - 1, page, 2 * page + 7}, lengths[] = {0, 1, 100, page, 3 * page + 5};
	for (size_t s = 0; s < 5; s++)
		for (size_t n = 0; n < 5; n++) {
			memset(p, 'x', size);
			mem_forget(p + starts[s], lengths[n]);
			for (size_t i = 0; i < size; i++) {
				bool gone = i >= starts[s] && i < starts[s] + lengths[n];
				assert_int_equal(p[i], gone ? 0 : 'x');
			}
		}
	free(p);
}

/* Pages that were forgotten are not resident; those at the edges are others', too. */
static void test_forgotten_pages(void **state)
{
	(void)state;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned char in_core[4];
	unsigned char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	memset(p, 'x', 4 * page);
	mem_forget(p + 1, 3 * page);
	assert_int_equal(mincore(p, 4 * page, in_core), 0);
	assert_true(in_core[0] & 1);
	assert_false(in_core[1] & 1);
	assert_false(in_core[2] & 1);
	assert_true(in_core[3] & 1);
	munmap(p, 4 * page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_forgotten_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

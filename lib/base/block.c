#include "base/block.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

void block_pool_init(struct block_pool *pool, size_t keep)
{
	*pool = (struct block_pool){.keep = keep};
}

static void forget(struct block *b)
{
	mem_forget(b->mem, sizeof b->mem);
}

static void push(struct block **list, size_t *count, struct block *b)
{
	b->next = *list;
	*list = b;
	++*count;
}

static struct block *pop(struct block **list, size_t *count)
{
	struct block *b = *list;
	*list = b->next;
	--*count;
	return b;
}

static struct block *take_warm(struct block_pool *pool)
{
	struct block *b = pop(&pool->warm, &pool->warm_count);
	if (pool->warm_count < pool->spare)
		pool->spare = pool->warm_count;
	return b;
}

void block_pool_free(struct block_pool *pool)
{
	CHECK(pool->used == 0);
	while (pool->warm) {
		struct block *b = take_warm(pool);
		forget(b);
		free(b);
	}
	while (pool->cold)
		free(pop(&pool->cold, &pool->cold_count));
}

void block_pool_chill(struct block_pool *pool, size_t most)
{
	for (size_t n = pool->spare < most ? pool->spare : most; n; n--) {
		struct block *b = take_warm(pool);
		forget(b);
		push(&pool->cold, &pool->cold_count, b);
	}
	pool->spare = pool->warm_count;
}

struct block *block_get(struct block_pool *pool)
{
	struct block *b;
	if (pool->warm) {
		b = take_warm(pool);
	} else if (pool->cold) {
		b = pop(&pool->cold, &pool->cold_count);
	} else {
		b = mem_alloc(sizeof *b);
		b->pool = pool;
	}
	pool->used++;
	b->next = NULL;
	b->data = b->mem + BLOCK_ROOM;
	b->len = 0;
	return b;
}

void block_put(struct block *b)
{
	if (!b)
		return;
	struct block_pool *pool = b->pool;
	CHECK(pool->used > 0);
	pool->used--;
	if (pool->warm_count + pool->cold_count < pool->keep) {
		push(&pool->warm, &pool->warm_count, b);
		return;
	}
	forget(b);
	free(b);
}

#include "base/block.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

void block_pool_init(struct block_pool *pool, size_t keep)
{
	*pool = (struct block_pool){.keep = keep};
}

static void discard(struct block *b)
{
	mem_wipe(b->mem, sizeof b->mem);
	free(b);
}

void block_pool_free(struct block_pool *pool)
{
	CHECK(pool->used == 0);
	while (pool->free) {
		struct block *b = pool->free;
		pool->free = b->next;
		discard(b);
	}
	pool->free_count = 0;
}

struct block *block_get(struct block_pool *pool)
{
	struct block *b = pool->free;
	if (b) {
		pool->free = b->next;
		pool->free_count--;
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
	if (pool->free_count >= pool->keep) {
		discard(b);
		return;
	}
	b->next = pool->free;
	pool->free = b;
	pool->free_count++;
}

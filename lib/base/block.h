/*
 * Blocks: the buffers that bytes travel in, taken from the loop's pool when bytes
 * are there and given back when they have left. An idle connection holds none.
 *
 *	 mem                  data        data + len              mem + BLOCK_ROOM + BLOCK_SIZE
 *	  |  room in front     |  bytes     |   free                |
 *
 * The room in front is for a frame or chunk header, so that what was read can be
 * sent on with its header in one span. One owner at a time; block_put by the last.
 */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define BLOCK_ROOM 64
#define BLOCK_SIZE 65536

struct block_pool;

struct block {
	struct block *next;	 /* in the pool */
	struct block_pool *pool; /* borrowed */
	uint8_t *data;
	size_t len;
	uint8_t mem[BLOCK_ROOM + BLOCK_SIZE];
};

struct block_pool {
	struct block *warm; /* last in, first out */
	struct block *cold; /* without memory behind them: taken when no warm one is there */
	size_t warm_count, cold_count, keep;
	size_t spare; /* the fewest that were warm since the last chill: nobody has needed them */
	size_t used;  /* handed out now */
};

void block_pool_init(struct block_pool *pool, size_t keep); /* `keep` free ones are not returned to malloc */
void block_pool_free(struct block_pool *pool);		    /* all blocks are back */
/* Takes the memory from at most `most` that nobody has needed since the last call. */
void block_pool_chill(struct block_pool *pool, size_t most);

struct block *block_get(struct block_pool *pool); /* data behind the room, len 0 */
void block_put(struct block *b);		  /* NULL is fine */

static inline struct span block_span(const struct block *b)
{
	return (struct span){(char *)b->data, b->len};
}

/* The first n bytes are done with. */
static inline void block_take(struct block *b, size_t n)
{
	b->data += n;
	b->len -= n;
}

static inline size_t block_free_room(const struct block *b)
{
	return (size_t)(b->mem + sizeof b->mem - (b->data + b->len));
}

#endif

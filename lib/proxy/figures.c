#include "proxy/figures.h"

_Static_assert(sizeof(struct figures) % sizeof(uint64_t) == 0, "numbers of one size, nothing between them");

void figures_add(struct figures *sum, const struct figures *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;
	for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void figures_left(struct figures *f)
{
	f->pool.open = f->pool.idle = 0;
	f->ingress.open = 0;
	f->upstream.open = f->upstream.idle = 0;
	f->tunnel.open = 0;
	f->trunk.up = 0;
	f->connections = f->serving = 0;
}

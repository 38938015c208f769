#include "base/shared.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

void *shared_new(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	return p;
}

void shared_free(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Different each time: one who holds it for long is told from one who holds it often. */
static bool move(struct shared_lock *l, uint64_t *from)
{
	uint64_t to = now_ns() << 16 | ((uint64_t)gettid() & 0xfffe) | 1;
	return __atomic_compare_exchange_n(&l->holder, from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

bool shared_lock_take(struct shared_lock *l)
{
	const struct timespec moment = {.tv_nsec = 20000};
	uint64_t seen = 0, holder = 0, since = 0;
	while (!move(l, &seen)) {
		if (seen != holder) {
			holder = seen;
			since = now_ns();
		}
		if (seen && now_ns() - since > SHARED_LOCK_PATIENCE_MS * 1000000ull && move(l, &seen))
			return false;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
		seen = 0;
	}
	return true;
}

void shared_lock_give(struct shared_lock *l)
{
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
}

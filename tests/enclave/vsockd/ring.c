#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vsockd.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, AVAIL_NO_INTERRUPT = 1 };

void *memory_of_guest(const struct memory *m, uint64_t address, uint64_t size)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct region *r = &m->region[i];
		if (address >= r->guest && size <= r->size && address - r->guest <= r->size - size)
			return r->memory + (address - r->guest);
	}
	return NULL;
}

void *memory_of_user(const struct memory *m, uint64_t address)
{
	for (unsigned i = 0; i < m->count; i++) {
		const struct region *r = &m->region[i];
		if (address >= r->user && address - r->user < r->size)
			return r->memory + (address - r->user);
	}
	return NULL;
}

void ring_map(struct ring *r, const struct memory *m)
{
	if (!r->desc_at)
		return;
	r->desc = memory_of_user(m, r->desc_at);
	r->avail = memory_of_user(m, r->avail_at);
	r->used = memory_of_user(m, r->used_at);
}

bool ring_ready(const struct ring *r)
{
	return r->enabled && r->desc && r->avail && r->used && r->num && r->kick.fd >= 0;
}

bool ring_pop(struct ring *r, uint16_t *head)
{
	uint16_t index = __atomic_load_n(&r->avail[1], __ATOMIC_ACQUIRE);
	if (index == r->last)
		return false;
	if ((uint16_t)(index - r->last) > r->num) { /* Linux turns the index back when it tears a ring down */
		r->enabled = false;
		return false;
	}
	*head = r->avail[2 + r->last % r->num];
	r->last++;
	return true;
}

void ring_push(struct ring *r, uint16_t head, uint32_t written)
{
	uint16_t index;
	uint32_t entry[2] = {head, written};
	memcpy(&index, r->used + 2, sizeof index);
	memcpy(r->used + 4 + 8 * (index % r->num), entry, sizeof entry);
	__atomic_store_n((uint16_t *)(void *)(r->used + 2), (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

void ring_call(struct ring *r)
{
	const uint64_t one = 1;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the used index before a look at the guest's wish */
	if (r->avail[0] & AVAIL_NO_INTERRUPT || r->call < 0)
		return;
	if (write(r->call, &one, sizeof one) < 0 && errno != EAGAIN)
		say("a guest cannot be interrupted: %s", strerror(errno));
}

unsigned ring_chain(const struct ring *r, const struct memory *m, uint16_t head, bool writable,
		    struct iovec *parts)
{
	unsigned count = 0;
	uint16_t at = head;
	for (uint32_t steps = 0; steps < r->num && at < r->num; steps++) {
		struct ring_desc d = r->desc[at];
		if (!!(d.flags & DESC_WRITE) == writable) {
			void *p = memory_of_guest(m, d.address, d.size);
			if (!p || count == CHAIN_MAX)
				return 0;
			parts[count++] = (struct iovec){p, d.size};
		}
		if (!(d.flags & DESC_NEXT))
			return count;
		at = d.next;
	}
	return 0;
}

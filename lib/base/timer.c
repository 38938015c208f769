/*
 * Timers of a loop: a binary heap by time, whose top bounds how long the loop waits.
 *
 * A timeout is moved far more often than it fires (each read of a body moves one), so
 * moving it later only changes `due`; the heap finds out when the old time comes and
 * puts the timer back in at the new one.
 */
#include <stdlib.h>

#include "base/loop_impl.h"
#include "base/mem.h"

static void place(struct timer_heap *h, uint32_t slot, struct timer *t)
{
	h->at[slot] = t;
	t->slot = slot;
}

static void sift_up(struct timer_heap *h, struct timer *t)
{
	uint32_t slot = t->slot;
	for (; slot > 1 && h->at[slot / 2]->queued > t->queued; slot /= 2)
		place(h, slot, h->at[slot / 2]);
	place(h, slot, t);
}

static void sift_down(struct timer_heap *h, struct timer *t)
{
	uint32_t slot = t->slot;
	for (;;) {
		uint32_t child = slot * 2;
		if (child > h->count)
			break;
		if (child < h->count && h->at[child + 1]->queued < h->at[child]->queued)
			child++;
		if (h->at[child]->queued >= t->queued)
			break;
		place(h, slot, h->at[child]);
		slot = child;
	}
	place(h, slot, t);
}

static void heap_add(struct timer_heap *h, struct timer *t)
{
	if (h->count + 1 >= h->room) {
		h->room = h->room ? h->room * 2 : 64;
		h->at = mem_resize(h->at, h->room * sizeof(struct timer *));
	}
	t->queued = t->due;
	place(h, ++h->count, t);
	sift_up(h, t);
}

static void heap_remove(struct timer_heap *h, struct timer *t)
{
	uint32_t slot = t->slot;
	struct timer *last = h->at[h->count--];
	t->slot = 0;
	if (last == t)
		return;
	place(h, slot, last);
	sift_up(h, last);
	sift_down(h, last);
}

uint64_t timers_next(const struct loop *l)
{
	return l->timers.count ? l->timers.at[1]->queued : UINT64_MAX;
}

void timers_run(struct loop *l)
{
	struct timer_heap *h = &l->timers;
	while (h->count && h->at[1]->queued <= l->now) {
		struct timer *t = h->at[1];
		if (t->due != t->queued) { /* it was moved meanwhile */
			t->queued = t->due;
			sift_down(h, t);
			continue;
		}
		heap_remove(h, t);
		t->due = 0;
		t->fn(t);
	}
}

void timer_start(struct loop *l, struct timer *t, uint64_t ms, void (*fn)(struct timer *t))
{
	struct timer_heap *h = &l->timers;
	t->fn = fn;
	t->due = l->now + ms;
	if (!t->slot) {
		heap_add(h, t);
	} else if (t->due < t->queued) {
		t->queued = t->due;
		sift_up(h, t);
	}
}

void timer_stop(struct loop *l, struct timer *t)
{
	t->due = 0;
	if (t->slot)
		heap_remove(&l->timers, t);
}

void timers_free(struct loop *l)
{
	CHECK(l->timers.count == 0);
	free(l->timers.at);
}

#include "init/keep.h"

#include "base/check.h"

void keep_init(struct keep *k, uint64_t now_ms)
{
	*k = (struct keep){.due_ms = now_ms, .pause_ms = KEEP_PAUSE_MIN_MS};
}

uint64_t keep_due_in(const struct keep *k, uint64_t now_ms)
{
	if (k->pid || k->let_go)
		return KEEP_NEVER;
	return k->due_ms > now_ms ? k->due_ms - now_ms : 0;
}

void keep_started(struct keep *k, pid_t pid, uint64_t now_ms)
{
	CHECK(!k->pid);
	if (pid < 0) {
		k->due_ms = now_ms + KEEP_PAUSE_MAX_MS;
		return;
	}
	k->pid = pid;
	k->started_ms = now_ms;
	k->starts++;
}

uint64_t keep_ended(struct keep *k, uint64_t now_ms)
{
	CHECK(k->pid);
	k->pid = 0;
	if (k->let_go)
		return KEEP_NEVER;
	if (now_ms - k->started_ms >= KEEP_STEADY_MS)
		k->pause_ms = KEEP_PAUSE_MIN_MS;
	uint64_t pause = k->pause_ms;
	k->due_ms = now_ms + pause;
	k->pause_ms = pause * 2 < KEEP_PAUSE_MAX_MS ? pause * 2 : KEEP_PAUSE_MAX_MS;
	return pause;
}

void keep_let_go(struct keep *k)
{
	k->let_go = true;
}

#include "net/race.h"

#include <stdlib.h>

#include "base/mem.h"

struct lane {
	struct race *race;
	struct connect *connect; /* NULL: not running */
};

struct race {
	struct loop *loop;
	const char *name; /* borrowed */
	struct sockaddr_any to[RESOLVE_MAX];
	struct lane lanes[RESOLVE_MAX];
	size_t count, started, failed;
	struct timer stagger;
	struct error first_failure;
	connect_fn *fn;
	void *arg;
};

static void start_next(struct race *r);

void race_cancel(struct race *r)
{
	timer_stop(r->loop, &r->stagger);
	for (size_t i = 0; i < r->started; i++)
		if (r->lanes[i].connect)
			connect_cancel(r->lanes[i].connect);
	free(r);
}

static void on_connected(void *arg, struct stream *s, const struct error *err)
{
	struct lane *lane = arg;
	struct race *r = lane->race;
	lane->connect = NULL;
	if (err) {
		if (r->failed++ == 0)
			r->first_failure = *err;
		if (r->failed < r->count) {
			start_next(r);
			return;
		}
	}
	connect_fn *fn = r->fn;
	void *fn_arg = r->arg;
	struct error failure = r->first_failure;
	race_cancel(r);
	fn(fn_arg, s, err ? &failure : NULL);
}

static void on_stagger(struct timer *t)
{
	start_next(container_of(t, struct race, stagger));
}

static void start_next(struct race *r)
{
	if (r->started == r->count)
		return;
	struct lane *lane = &r->lanes[r->started];
	lane->race = r;
	lane->connect = connect_start(r->loop, &r->to[r->started++], r->name, on_connected, lane);
	timer_start(r->loop, &r->stagger, RACE_STAGGER_MS, on_stagger);
}

/* Takes the next address of the given family, or of the other when there is none left. */
static size_t pick(const struct sockaddr_any *to, size_t count, const bool *used, bool same, int family)
{
	size_t other = count;
	for (size_t i = 0; i < count; i++) {
		if (used[i])
			continue;
		if ((to[i].sa.sa_family == family) == same)
			return i;
		if (other == count)
			other = i;
	}
	return other;
}

struct race *race_start(struct loop *l, const struct sockaddr_any *to, size_t count, const char *name,
			connect_fn *fn, void *arg)
{
	CHECK(count > 0 && count <= RESOLVE_MAX);
	struct race *r = mem_zero(sizeof *r);
	r->loop = l;
	r->name = name;
	r->fn = fn;
	r->arg = arg;
	bool used[RESOLVE_MAX] = {false};
	for (; r->count < count; r->count++) {
		size_t i = pick(to, count, used, r->count % 2 == 0, to[0].sa.sa_family);
		used[i] = true;
		r->to[r->count] = to[i];
	}
	start_next(r);
	return r;
}

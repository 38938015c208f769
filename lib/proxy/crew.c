#include "proxy/crew.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/shared.h"
#include "net/frame.h"

#define CLIENTS_MAX 65536 /* told apart by the rate limit */

struct crew_shared {
	uint64_t started_us;
	struct crew_care care;
	struct shared_lock lock; /* of told */
	size_t told_n;
	char told[FRAME_METRICS_MAX];
	_Alignas(64) struct figures of[]; /* no two workers write to one cache line at the seam */
};

static size_t shared_size(unsigned count)
{
	return sizeof(struct crew_shared) + count * sizeof(struct figures);
}

static struct ratelimit *limit(uint32_t per_second, uint32_t at_a_time, uint32_t clients, unsigned workers)
{
	return ratelimit_new(&(struct ratelimit_settings){
		.per_second = per_second, .at_a_time = at_a_time, .clients = clients, .workers = workers});
}

struct crew *crew_new(const struct settings *s, unsigned count)
{
	struct crew *c = mem_zero(sizeof *c);
	CHECK(count > 0);
	c->count = count;
	c->beats = mem_zero(count * sizeof *c->beats);
	c->shared = shared_new(shared_size(count));
	c->shared->started_us = monotonic_us();
	if (getrandom(&c->id, sizeof c->id, 0) != sizeof c->id)
		c->id = c->shared->started_us;
	if (s->limits.client_rate || s->limits.client_connections)
		c->clients = limit(s->limits.client_rate, s->limits.client_connections, CLIENTS_MAX, count);
	c->documents = limit(s->limits.attestation_rate, 0, 1, count);
	if (count > 1)
		c->handover = handover_new(count);
	return c;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	ratelimit_free(c->clients);
	ratelimit_free(c->documents);
	handover_free(c->handover);
	shared_free(c->shared, shared_size(c->count));
	free(c->beats);
	free(c);
}

void crew_left(struct crew *c, unsigned index)
{
	CHECK(index < c->count);
	figures_left(&c->shared->of[index]);
}

void crew_join(struct crew *c, unsigned index)
{
	c->index = index;
	crew_left(c, index);
	if (c->clients)
		ratelimit_join(c->clients, index);
	ratelimit_join(c->documents, index);
	if (index == 0)
		crew_tell(c, (struct span){"", 0});
	log_count_dropped(&crew_figures(c)->log_dropped);
}

struct figures *crew_figures(const struct crew *c)
{
	return &c->shared->of[c->index];
}

void crew_total(const struct crew *c, struct figures *sum)
{
	*sum = (struct figures){.serving = 0};
	for (unsigned i = 0; i < c->count; i++)
		figures_add(sum, &c->shared->of[i]);
}

struct crew_care *crew_care(const struct crew *c)
{
	return &c->shared->care;
}

static uint64_t load(const uint64_t *figure)
{
	return __atomic_load_n(figure, __ATOMIC_RELAXED);
}

bool crew_all_alive(struct crew *c)
{
	bool all = true;
	for (unsigned i = 0; i < c->count; i++) {
		uint64_t now = load(&c->shared->of[i].beats);
		all = all && now != c->beats[i];
		c->beats[i] = now;
	}
	return all;
}

uint64_t crew_started_us(const struct crew *c)
{
	return c->shared->started_us;
}

uint32_t crew_share(const struct crew *c, uint32_t limit)
{
	return limit / c->count + (limit % c->count != 0);
}

bool crew_turn(void *crew)
{
	const struct crew *c = crew;
	const struct figures *own = crew_figures(c);
	uint64_t mine = own->connections + own->ingress.open;
	for (unsigned i = 0; i < c->count; i++) {
		const struct figures *f = &c->shared->of[i];
		if (load(&f->serving) && load(&f->connections) + load(&f->ingress.open) < mine)
			return false;
	}
	return true;
}

/* ---- told ---- */

static void take_lock(struct crew_shared *s)
{
	if (!shared_lock_take(&s->lock))
		s->told_n = 0; /* half written */
}

void crew_tell(struct crew *c, struct span text)
{
	struct crew_shared *s = c->shared;
	CHECK(text.n <= sizeof s->told);
	take_lock(s);
	memcpy(s->told, text.p, text.n);
	s->told_n = text.n;
	shared_lock_give(&s->lock);
}

void crew_told(struct crew *c, struct buf *out)
{
	struct crew_shared *s = c->shared;
	take_lock(s);
	size_t n = s->told_n;
	buf_add(out, s->told, n <= sizeof s->told ? n : 0);
	shared_lock_give(&s->lock);
}

void crew_metrics(const struct crew *c, const char *role, const struct figures *sum, struct buf *out)
{
	metrics_line(out, role, "gauge", "workers", "Worker processes that serve.", sum->serving);
	metrics_line(out, role, "counter", "worker_restarts_total",
		     "Times one that had died was started again.", crew_care(c)->restarts);
	metrics_line(out, role, "gauge", "uptime_seconds", "Since the start.",
		     (monotonic_us() - crew_started_us(c)) / 1000000);
	metrics_line(out, role, "counter", "log_dropped_total", "Log lines lost.", sum->log_dropped);
}

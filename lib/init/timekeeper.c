#include "init/timekeeper.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define STEP_NS	 1000000000 /* beyond it: step */
#define QUIET_NS 50000	    /* within it: leave it; the two readings are not taken at one moment */

struct timekeeper {
	struct loop *loop;
	struct timekeeper_ops ops;
	struct timekeeper_state state;
	uint64_t interval_ms;
	struct timer timer;
	bool was_plausible;
};

static bool correct(struct timekeeper *t, struct error *err)
{
	int64_t ns = t->state.offset_ns, size = ns < 0 ? -ns : ns;
	if (size <= QUIET_NS)
		return true;
	if (size <= STEP_NS)
		return t->ops.slew(t->ops.arg, ns, err);
	if (!t->ops.step(t->ops.arg, ns, err))
		return false;
	t->state.steps++;
	log_write(LOG_WARN, "clock", LOG_STR("detail", "stepped to the hypervisor's time"),
		  LOG_INT("by_ms", ns / 1000000));
	return true;
}

/* Said once, when it begins and when it is over. */
static void follow(struct timekeeper *t)
{
	struct error err;
	bool good = t->ops.offset(t->ops.arg, &t->state.offset_ns, &err) && correct(t, &err);
	t->state.failures += !good;
	if (!good && (t->state.in_step || t->state.failures == 1))
		log_write(LOG_WARN, "clock", LOG_ERR(&err));
	t->state.in_step = good;
}

static void judge(struct timekeeper *t)
{
	struct error err;
	bool plausible = timekeeper_plausible(t, &err);
	if (!plausible && t->was_plausible)
		log_write(LOG_ERROR, "clock", LOG_ERR(&err));
	t->was_plausible = plausible;
}

static void on_time(struct timer *timer)
{
	struct timekeeper *t = container_of(timer, struct timekeeper, timer);
	if (t->state.reference)
		follow(t);
	judge(t);
	timer_start(t->loop, &t->timer, t->interval_ms, on_time);
}

struct timekeeper *timekeeper_start(struct loop *l, const struct timekeeper_ops *ops, uint64_t interval_ms)
{
	struct timekeeper *t = mem_zero(sizeof *t);
	t->loop = l;
	t->ops = *ops;
	t->interval_ms = interval_ms;
	t->state.reference = ops->offset != NULL;
	t->was_plausible = true;
	on_time(&t->timer);
	return t;
}

void timekeeper_stop(struct timekeeper *t)
{
	if (!t)
		return;
	timer_stop(t->loop, &t->timer);
	if (t->ops.close)
		t->ops.close(t->ops.arg);
	free(t);
}

const struct timekeeper_state *timekeeper_state(const struct timekeeper *t)
{
	return &t->state;
}

bool timekeeper_plausible(const struct timekeeper *t, struct error *err)
{
	int64_t now = t->ops.now(t->ops.arg);
	if (now >= TIMEKEEPER_EARLIEST && now < TIMEKEEPER_LATEST)
		return true;
	return error_set_hop(err, ERR_INTERNAL, HOP_ENCLAVE,
			     "the enclave's clock cannot be right (%" PRId64
			     " s since 1970), so no certificate can be judged by it",
			     now);
}

#include "init/timekeeper.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

#define STEP_NS	 1000000000 /* beyond it: step */
#define QUIET_NS 50000	    /* within it: leave it; the two readings are not taken at one moment */

struct timekeeper {
	struct timekeeper_ops ops;
	struct timekeeper_state state;
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
	bool plausible = timekeeper_plausible(t->ops.now(t->ops.arg), &err);
	if (!plausible && t->was_plausible)
		log_write(LOG_ERROR, "clock", LOG_ERR(&err));
	t->was_plausible = plausible;
}

void timekeeper_look(struct timekeeper *t)
{
	if (t->state.reference)
		follow(t);
	judge(t);
}

struct timekeeper *timekeeper_new(const struct timekeeper_ops *ops)
{
	struct timekeeper *t = mem_zero(sizeof *t);
	t->ops = *ops;
	t->state.reference = ops->offset != NULL;
	t->was_plausible = true;
	return t;
}

void timekeeper_free(struct timekeeper *t)
{
	if (!t)
		return;
	if (t->ops.close)
		t->ops.close(t->ops.arg);
	free(t);
}

const struct timekeeper_state *timekeeper_state(const struct timekeeper *t)
{
	return &t->state;
}

bool timekeeper_plausible(int64_t now, struct error *err)
{
	if (now >= TIMEKEEPER_EARLIEST && now < TIMEKEEPER_LATEST)
		return true;
	return error_set_hop(err, ERR_INTERNAL, HOP_ENCLAVE,
			     "the enclave's clock cannot be right (%" PRId64
			     " s since 1970), so no certificate can be judged by it",
			     now);
}

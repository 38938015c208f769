/*
 * The enclave's clock. It drifts by seconds a week, there is no NTP, and the host's word is worth nothing;
 * but the hypervisor offers its own time as a PTP clock (KVM's, /dev/ptp0), which the host cannot touch.
 * Certificates are judged by this clock, so one that cannot be right is a reason to open no TLS connection at
 * all.
 *
 *	every 30 s:  offset = PTP - ours;   above 1 s: step;   above 50 us: slew;   else leave it
 *
 * Without a PTP clock it is only watched.
 */
#ifndef INIT_TIMEKEEPER_H
#define INIT_TIMEKEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define TIMEKEEPER_MS 30000

/*
 * No certificate that could matter is older than this program: 2026-01-01, and 2100-01-01 at the other end.
 */
#define TIMEKEEPER_EARLIEST 1767225600
#define TIMEKEEPER_LATEST   4102444800

/* How time is read and set: timekeeper_ptp's, or a test's. */
struct timekeeper_ops {
	bool (*offset)(void *arg, int64_t *ns, struct error *err); /* reference - ours */
	bool (*step)(void *arg, int64_t ns, struct error *err);
	bool (*slew)(void *arg, int64_t ns, struct error *err);
	int64_t (*now)(void *arg); /* seconds since 1970, by our clock */
	void (*close)(void *arg);
	void *arg;
};

struct timekeeper_state {
	bool reference; /* there is one to go by */
	bool in_step;	/* and the last look at it succeeded */
	int64_t offset_ns;
	uint64_t steps, failures;
};

struct timekeeper;

/* ops is copied; its close is called by timekeeper_free. */
struct timekeeper *timekeeper_new(const struct timekeeper_ops *ops);
void timekeeper_free(struct timekeeper *t); /* NULL is fine */

/* Compares and corrects; to be called every TIMEKEEPER_MS. */
void timekeeper_look(struct timekeeper *t);

const struct timekeeper_state *timekeeper_state(const struct timekeeper *t);
/* False: certificates cannot be judged by a clock that shows so many seconds since 1970; at HOP_ENCLAVE. */
bool timekeeper_plausible(int64_t now, struct error *err);

/*
 * The system's clock and, if the device is there and may_set, the PTP clock it follows. Elsewhere than in an
 * enclave the clock is somebody else's, and may not be set.
 */
void timekeeper_ptp(struct timekeeper_ops *ops, const char *device, bool may_set);

#endif

#include "enclave_machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "init/app.h"
#include "init/machine.h"
#include "net/address.h"
#include "proxy/metrics.h"

#define MODULES	    "/lib/modules/enclave"
#define PTP_DEVICE  "/dev/ptp0"
#define LINES	    65536 /* bytes of log that wait for the host */
#define END_WAIT_MS 2000  /* for other processes, twice */

static void warn(bool good, const struct error *err)
{
	if (!good)
		log_write(LOG_WARN, "init", LOG_ERR(err));
}

/* Settings cannot be read before there is a file system: the flag is looked for by hand. */
static bool has_flag(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--init") == 0)
			return true;
	return false;
}

void enclave_machine_begin(struct enclave_machine *m, int argc, char **argv)
{
	struct error err;
	size_t bytes = 0;
	m->first = getpid() == 1 || has_flag(argc, argv);
	m->lines = log_ring_new(LINES);
	log_tap(log_ring_put, m->lines);
	if (m->first) {
		machine_mount();
		machine_load_modules(MODULES);
		machine_raise_limits();
	}
	m->nsm = access("/dev/nsm", F_OK) == 0;
	if (m->first || m->nsm)
		warn(machine_loopback_up(&err), &err);
	if (m->nsm) {
		bool good = machine_reseed(&bytes, &err);
		warn(good, &err);
		if (good)
			log_write(LOG_INFO, "entropy", LOG_STR("from", "nsm"), LOG_UINT("bytes", bytes));
	}
}

/* ---- what workers are told ---- */

static bool clock_good(void *arg, struct error *err)
{
	(void)arg;
	return timekeeper_plausible((int64_t)time(NULL), err);
}

static void put_metrics(void *arg, struct buf *out)
{
	struct enclave_machine *m = arg;
	const struct crew_care *care = crew_care(m->crew);
	struct error err;
	metrics_line(out, "enclave", "gauge", "clock_good", "1: certificates can be judged by the clock.",
		     clock_good(m, &err));
	metrics_line(out, "enclave", "gauge", "clock_in_step", "1: the clock follows the hypervisor's.",
		     care->clock_in_step);
	metrics_line(out, "enclave", "counter", "clock_steps_total",
		     "Times the clock was off by over a second.", care->clock_steps);
	if (care->clock)
		buf_printf(
			out,
			"# HELP nitroproxy_clock_offset_seconds The hypervisor's time minus ours, when last "
			"compared.\n# TYPE nitroproxy_clock_offset_seconds gauge\n"
			"nitroproxy_clock_offset_seconds{role=\"enclave\"} %.6f\n",
			(double)care->clock_offset_ns / 1e9);
	if (!care->app)
		return;
	metrics_line(out, "enclave", "gauge", "app_running", "1: the application runs.", care->app_running);
	metrics_line(out, "enclave", "counter", "app_restarts_total", "Times it was started again.",
		     care->app_restarts);
}

void enclave_machine_surround(struct enclave_machine *m, struct enclave *e, struct crew *crew)
{
	const struct enclave_surroundings around = {clock_good, put_metrics, m, m->lines};
	struct error err;
	m->crew = crew;
	enclave_surround(e, &around);
	if (crew->index == 0 && !clock_good(m, &err))
		log_write(LOG_ERROR, "clock", LOG_ERR(&err));
}

/* ---- the supervisor's duties ---- */

static uint64_t tend(void *arg, struct crew_care *care)
{
	struct enclave_machine *m = arg;
	uint64_t now = monotonic_us() / 1000, due = m->looked_ms + TIMEKEEPER_MS;
	if (m->time && now < due)
		return due - now;
	if (!m->time) {
		struct timekeeper_ops ops;
		timekeeper_ptp(&ops, PTP_DEVICE, true);
		m->time = timekeeper_new(&ops);
	}
	timekeeper_look(m->time);
	m->looked_ms = now;
	const struct timekeeper_state *t = timekeeper_state(m->time);
	care->clock = t->reference;
	care->clock_in_step = t->in_step;
	care->clock_steps = t->steps;
	care->clock_offset_ns = t->offset_ns;
	return TIMEKEEPER_MS;
}

static void on_ready(void *arg)
{
	struct enclave_machine *m = arg;
	struct error err;
	if (!m->first)
		return;
	bool answered = machine_heartbeat(&err);
	warn(answered, &err);
	if (answered)
		log_write(LOG_INFO, "heartbeat", LOG_STR("detail", "the parent knows that we are up"));
}

/* Where the application reaches our HTTP listener; NULL: not over TCP. */
static const char *proxy_url(struct enclave_machine *m, const char *listen)
{
	struct address a;
	struct error err;
	if (!*listen || !address_parse(listen, &a, &err) || a.kind != ADDRESS_TCP)
		return NULL;
	bool any = !*a.host || strcmp(a.host, "0.0.0.0") == 0 || strcmp(a.host, "::") == 0;
	snprintf(m->proxy, sizeof m->proxy, strchr(a.host, ':') && !any ? "http://[%s]:%u" : "http://%s:%u",
		 any ? "127.0.0.1" : a.host, a.port);
	return m->proxy;
}

static struct app *make_app(void *arg, const struct settings *s, uint64_t now_ms)
{
	struct enclave_machine *m = arg;
	const struct app_config config = {.command = &s->enclave.app,
					  .environment = &s->enclave.app_env,
					  .proxy = proxy_url(m, s->enclave.http_listen),
					  .uid = s->enclave.app_uid,
					  .once = s->enclave.app_once};
	return s->enclave.app.count ? app_new(&config, now_ms) : NULL;
}

struct duties enclave_machine_duties(struct enclave_machine *m)
{
	bool enclave = m->first || m->nsm;
	return (struct duties){.enclave = enclave,
			       .ready = on_ready,
			       .app = make_app,
			       .tend = enclave ? tend : NULL,
			       .arg = m};
}

void enclave_machine_end(struct enclave_machine *m)
{
	timekeeper_free(m->time);
	log_tap(NULL, NULL);
	log_ring_free(m->lines);
	if (m->first)
		machine_end(END_WAIT_MS);
}

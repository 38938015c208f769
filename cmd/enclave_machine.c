#include "enclave_machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "init/machine.h"
#include "net/address.h"
#include "proxy/metrics.h"

#define MODULES	    "/lib/modules/enclave"
#define PTP_DEVICE  "/dev/ptp0"
#define CLOCK_MS    30000
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
	bool nsm = access("/dev/nsm", F_OK) == 0;
	if (m->first || nsm)
		warn(machine_loopback_up(&err), &err);
	if (nsm) {
		bool good = machine_reseed(&bytes, &err);
		warn(good, &err);
		if (good)
			log_write(LOG_INFO, "entropy", LOG_STR("from", "nsm"), LOG_UINT("bytes", bytes));
	}
}

/* ---- the clock ---- */

static bool clock_good(void *arg, struct error *err)
{
	struct enclave_machine *m = arg;
	return timekeeper_plausible(m->time, err);
}

static void put_metrics(void *arg, struct buf *out)
{
	struct enclave_machine *m = arg;
	const struct timekeeper_state *t = timekeeper_state(m->time);
	struct error err;
	metrics_line(out, "enclave", "gauge", "clock_good", "1: certificates can be judged by the clock.",
		     timekeeper_plausible(m->time, &err));
	metrics_line(out, "enclave", "gauge", "clock_in_step", "1: the clock follows the hypervisor's.",
		     t->in_step);
	metrics_line(out, "enclave", "counter", "clock_steps_total",
		     "Times the clock was off by over a second.", t->steps);
	if (t->reference)
		buf_printf(
			out,
			"# HELP nitroproxy_clock_offset_seconds The hypervisor's time minus ours, when last "
			"compared.\n# TYPE nitroproxy_clock_offset_seconds gauge\n"
			"nitroproxy_clock_offset_seconds{role=\"enclave\"} %.6f\n",
			(double)t->offset_ns / 1e9);
	if (!m->app)
		return;
	metrics_line(out, "enclave", "gauge", "app_running", "1: the application runs.", app_running(m->app));
	metrics_line(out, "enclave", "counter", "app_restarts_total", "Times it was started again.",
		     app_restarts(m->app));
}

void enclave_machine_watch(struct enclave_machine *m, struct loop *l, struct enclave *e)
{
	struct timekeeper_ops ops;
	const struct enclave_surroundings around = {clock_good, put_metrics, m, m->lines};
	timekeeper_ptp(&ops, PTP_DEVICE, m->first || access("/dev/nsm", F_OK) == 0);
	m->time = timekeeper_start(l, &ops, CLOCK_MS);
	enclave_surround(e, &around);
}

/* ---- the application ---- */

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

void enclave_machine_ready(struct enclave_machine *m, struct loop *l, const struct settings *s,
			   void (*on_end)(void *arg, int status), void *arg)
{
	struct error err;
	if (m->first) {
		bool answered = machine_heartbeat(&err);
		warn(answered, &err);
		if (answered)
			log_write(LOG_INFO, "heartbeat",
				  LOG_STR("detail", "the parent knows that we are up"));
	}
	if (!m->first && !s->enclave.app.count)
		return;
	const struct app_config app = {.command = &s->enclave.app,
				       .environment = &s->enclave.app_env,
				       .proxy = proxy_url(m, s->enclave.http_listen),
				       .uid = s->enclave.app_uid,
				       .once = s->enclave.app_once,
				       .on_end = on_end,
				       .arg = arg};
	m->app = app_start(l, &app); /* without a command it still collects what others leave behind */
}

void enclave_machine_stop_app(struct enclave_machine *m)
{
	if (m->app)
		app_stop(m->app);
}

void enclave_machine_free(struct enclave_machine *m)
{
	app_free(m->app);
	timekeeper_stop(m->time);
}

void enclave_machine_end(struct enclave_machine *m)
{
	log_tap(NULL, NULL);
	log_ring_free(m->lines);
	if (m->first)
		machine_end(END_WAIT_MS);
}

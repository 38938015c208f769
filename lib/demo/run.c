#include "demo/run.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "demo/checks.h"
#include "demo/origin.h"
#include "demo/stack.h"
#include "proxy/exchange.h"

#define NAME	      "origin.demo.test" /* in the certificate of --local's origin */
#define WRONG_NAME    "other.demo.test"
#define DENIED	      "https://denied.demo.test/"
#define CA_DAYS	      1
#define WAIT_MS	      10000 /* for --local's processes */
#define AGAIN_MS      20
#define LOCAL_SAMPLES 300
#define OTHER_SAMPLES 30 /* other people's services are not to be hammered */

/* What --local has: a good origin, one with another's name, one of an unknown CA. */
enum { GOOD, WRONG, STRANGER, ORIGINS };

struct run {
	struct loop *loop;
	const struct settings *settings;
	struct run_events events;
	struct report *report;
	struct stack *stack;
	struct origin *origins[ORIGINS];
	const struct origin *unheard[ORIGINS];
	struct text_list endpoints, refused, denied; /* --local's */
	struct fetcher fetcher;
	struct tls_conf *tls;
	struct url proxy_url;
	struct fetch *ping;
	struct timer again;
	uint64_t started, wait_until;
	struct checks *checks;
};

static void fail(struct run *r, const struct error *err)
{
	r->events.on_end(r->events.arg, err);
}

/* ---- --local ---- */

static struct origin *start_origin(struct run *r, struct cert_ca *ca, const char *name, const char *address,
				   struct error *err)
{
	const char *const names[] = {name, address, NULL};
	return origin_start(r->loop,
			    &(struct origin_options){.address = "tcp:127.0.0.1:0", .names = names, .ca = ca},
			    err);
}

static bool start_origins(struct run *r, struct cert_ca *ca, struct error *err)
{
	struct cert_ca *stranger = cert_ca_new("a stranger's CA", time(NULL), CA_DAYS, err);
	if (!stranger)
		return false;
	r->origins[GOOD] = start_origin(r, ca, NAME, "127.0.0.1", err);
	r->origins[WRONG] = r->origins[GOOD] ? start_origin(r, ca, WRONG_NAME, NULL, err) : NULL;
	r->origins[STRANGER] = r->origins[WRONG] ? start_origin(r, stranger, NAME, "127.0.0.1", err) : NULL;
	cert_ca_free(stranger);
	return r->origins[STRANGER] != NULL;
}

static void on_died(void *arg, const struct error *err)
{
	fail(arg, err);
}

static bool start_local(struct run *r, struct error *err)
{
	struct text_list allow = {NULL, 0};
	struct cert_ca *ca = cert_ca_new("nitroproxy demo CA", time(NULL), CA_DAYS, err);
	if (!ca)
		return false;
	bool ok = start_origins(r, ca, err);
	for (size_t i = 0; ok && i < ORIGINS; i++)
		text_list_addf(&allow, "127.0.0.1:%u", origin_port(r->origins[i]));
	if (ok) {
		r->stack = stack_start(r->loop,
				       &(struct stack_options){.ca_pem = cert_ca_pem(ca), .allow = &allow},
				       on_died, r, err);
		text_list_addf(&r->endpoints, "https://127.0.0.1:%u", origin_port(r->origins[GOOD]));
		text_list_addf(&r->endpoints, "https://127.0.0.1:%u/users/octocat",
			       origin_port(r->origins[GOOD]));
		text_list_addf(&r->refused, "https://127.0.0.1:%u/get", origin_port(r->origins[WRONG]));
		text_list_addf(&r->refused, "https://127.0.0.1:%u/get", origin_port(r->origins[STRANGER]));
		text_list_add(&r->denied, DENIED);
		r->unheard[0] = r->origins[WRONG];
		r->unheard[1] = r->origins[STRANGER];
	}
	text_list_free(&allow);
	cert_ca_free(ca);
	return ok && r->stack;
}

/* ---- the checks ---- */

static void on_begin(void *arg, size_t index, size_t count, const char *title)
{
	struct run *r = arg;
	r->events.on_progress(r->events.arg, index, count, title);
}

static void on_checked(void *arg)
{
	struct run *r = arg;
	r->report->us = monotonic_us() - r->started;
	r->events.on_end(r->events.arg, NULL);
}

static void start_checks(struct run *r)
{
	const struct settings *s = r->settings;
	bool local = s->demo.local;
	struct checks_options o = {.fetcher = &r->fetcher,
				   .endpoints = local ? &r->endpoints : &s->demo.test_endpoints,
				   .refused = local ? &r->refused : &s->demo.refused_endpoints,
				   .denied = local ? &r->denied : &s->demo.denied_endpoints,
				   .unheard = local ? r->unheard : NULL,
				   .timeout_ms = s->demo.request_timeout,
				   .concurrent = s->demo.concurrent_requests,
				   .samples = local ? LOCAL_SAMPLES : OTHER_SAMPLES,
				   .on_begin = on_begin,
				   .on_end = on_checked,
				   .arg = r};
	r->checks = checks_start(&o, r->report);
}

/* ---- is the proxy there? ---- */

/* {"status": "ok", "version": .., "security": {"mode": "secure", "insecure": []}, ..} */
static void read_health(struct run *r, const struct fetch_result *result)
{
	struct report *report = r->report;
	json_t *o = json_loadb(result->body.n ? result->body.p : "", result->body.n, 0, NULL);
	const char *status = json_string_value(json_object_get(o, "status"));
	const char *version = json_string_value(json_object_get(o, "version"));
	const json_t *security = json_object_get(o, "security");
	const char *mode = json_string_value(json_object_get(security, "mode"));
	report->insecure = json_array_size(json_object_get(security, "insecure")) > 0;
	if (status)
		snprintf(report->health, sizeof report->health, "%.40s%s%.40s%s%.40s", status,
			 version ? ", version " : "", version ? version : "", mode ? ", configuration " : "",
			 mode ? mode : "");
	else
		snprintf(report->health, sizeof report->health, "/health answered with %d", result->status);
	json_decref(o);
}

static void ping(struct run *r);

static void on_again(struct timer *t)
{
	ping(container_of(t, struct run, again));
}

static void on_pong(void *arg, const struct fetch_result *result)
{
	struct run *r = arg;
	r->ping = NULL;
	bool up = !result->failed && (!r->settings->demo.local || result->status == 200);
	if (up) {
		read_health(r, result);
		start_checks(r);
	} else if (r->settings->demo.local && monotonic_us() < r->wait_until) {
		timer_start(r->loop, &r->again, AGAIN_MS, on_again);
	} else {
		struct error err = result->err;
		if (!result->failed)
			error_set(&err, ERR_UNAVAILABLE, "the processes were not ready within %d s",
				  WAIT_MS / 1000);
		else
			error_wrap(&err,
				   "the proxy at %s is not reached (start it, name another with --proxy, or "
				   "use --local)",
				   r->report->proxy);
		fail(r, &err);
	}
}

static void ping(struct run *r)
{
	struct fetch_request request = {.form = FETCH_SELF,
					.method = "GET",
					.url = "/health",
					.timeout_ms = r->settings->demo.request_timeout};
	r->ping = fetch_start(&r->fetcher, &request, on_pong, r);
}

/* ---- life ---- */

/* An http:// URL as curl takes it, or one of our own addresses. */
static bool find_proxy(struct run *r, const char *text, struct error *err)
{
	char tcp[ADDRESS_TEXT];
	struct report *report = r->report;
	snprintf(report->proxy, sizeof report->proxy, "%s", text);
	if (strncmp(text, "http://", 7) != 0) {
		r->fetcher.authority = "proxy";
		return address_parse(text, &r->fetcher.proxy, err);
	}
	if (!url_parse(text, &r->proxy_url, err))
		return false;
	r->fetcher.authority = r->proxy_url.authority;
	snprintf(tcp, sizeof tcp, strchr(r->proxy_url.host, ':') ? "tcp:[%.255s]:%u" : "tcp:%.255s:%u",
		 r->proxy_url.host, r->proxy_url.port);
	return address_parse(tcp, &r->fetcher.proxy, err);
}

static bool load_tls(struct run *r, struct error *err)
{
	const struct text_list *given = &r->settings->tls.ca_file;
	const char **files = mem_zero((given->count + 2) * sizeof *files);
	for (size_t i = 0; i < given->count; i++)
		files[i] = given->items[i];
	if (r->stack)
		files[0] = stack_ca(r->stack), files[1] = NULL;
	r->tls = tls_conf_new(&(struct tls_options){.ca_files = files[0] ? files : NULL}, err);
	free(files);
	r->fetcher.tls = r->tls;
	return r->tls != NULL;
}

static void note_start(struct report *report, bool local)
{
	time_t now = time(NULL);
	struct tm utc;
	*report = (struct report){.version = NP_VERSION, .local = local};
	strftime(report->when, sizeof report->when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
}

struct run *run_start(struct loop *l, const struct settings *s, const struct run_events *events,
		      struct report *report, struct error *err)
{
	struct run *r = mem_zero(sizeof *r);
	r->loop = l;
	r->settings = s;
	r->events = *events;
	r->report = report;
	r->started = monotonic_us();
	r->wait_until = r->started + WAIT_MS * 1000;
	r->fetcher = (struct fetcher){.loop = l, .limits = PARSE_LIMITS_MAX};
	note_start(report, s->demo.local);
	events->on_progress(events->arg, 0, 0,
			    s->demo.local ? "starting host, enclave and tunnel" : "is the proxy there?");
	if ((!s->demo.local || start_local(r, err)) &&
	    find_proxy(r, r->stack ? stack_host(r->stack) : s->demo.proxy, err) && load_tls(r, err)) {
		ping(r);
		return r;
	}
	run_free(r);
	return NULL;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	timer_stop(r->loop, &r->again);
	if (r->ping)
		fetch_cancel(r->ping);
	checks_free(r->checks);
	fetcher_end(&r->fetcher);
	stack_stop(r->stack);
	for (size_t i = 0; i < ORIGINS; i++)
		origin_stop(r->origins[i]);
	tls_conf_free(r->tls);
	text_list_free(&r->endpoints);
	text_list_free(&r->refused);
	text_list_free(&r->denied);
	free(r);
}

#include "proxy/host.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/frame.h"
#include "proxy/account.h"
#include "proxy/enclave_pool.h"
#include "proxy/front.h"
#include "proxy/health.h"
#include "proxy/ingress_host.h"
#include "proxy/local.h"
#include "proxy/signals.h"
#include "proxy/trunk_client.h"

#define METRICS_MAX (2 * BLOCK_SIZE)
#define AGENT	    "nitroproxy-host"
#define PIPES	    128 /* for CONNECTs in bulk at a time; more go on without */

/* The enclave gives up first, for it can say which hop was slow. */
#define PATIENCE_MS 5000

struct host {
	struct loop *loop;
	const struct settings *settings;
	struct via via;
	struct crew *crew;
	struct exchange_role role;
	struct enclave_pool *pool;
	struct signals_in *signals; /* NULL: not wanted, or another worker's */
	struct front *front;
	struct ingress_host *ingress; /* NULL: there is none */
	struct local_waiting waiting; /* for the answer to a ping */
	struct error last_error;      /* of reaching the enclave */
	bool pinging;
	bool draining;
	struct task check_drained;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* ---- requests ---- */

/* For the enclave the target is told in full: GET https://host/path, CONNECT host:port. */
static bool rewrite(struct host *h, struct exchange *x, struct error *err)
{
	struct exchange_info *info = exchange_info(x);
	struct head *head = info->request;
	struct buf *text = exchange_text(x);
	char authority[TARGET_AUTHORITY_MAX];
	struct span scheme = {0};
	if (h->settings->trace && trace_asked(head))
		info->trace = mem_zero(sizeof *info->trace);
	hop_clean(head, &h->via);
	if (info->target.kind == TARGET_URL)
		scheme = info->target.https ? SPAN("https://") : SPAN("http://");
	target_authority(&info->target, authority);
	/* The Host field is a part of the target: scheme | authority | path. */
	buf_add_span(text, scheme);
	buf_add_text(text, authority);
	if (scheme.n && !span_is(info->target.path, SPAN("*")))
		buf_add_span(text, info->target.path);
	if (buf_full(text))
		return error_set(err, ERR_URL_SIZE, "the target is too long");
	head_remove(head, "Host");
	if (!head_add(head, SPAN("Host"), (struct span){text->p + scheme.n, strlen(authority)}))
		return error_set(err, ERR_HEAD_SIZE, "the request has too many fields");
	if (info->trace) /* the enclave may tell, too */
		head_add(head, SPAN(TRACE_FIELD), SPAN("1"));
	head->target = buf_span(text);
	return true;
}

static void start_ping(struct host *h);
static void render_all(struct host *h, struct buf *out);

static void answer_locally(struct host *h, struct exchange *x)
{
	struct buf text;
	switch (local_path(x)) {
	case LOCAL_HEALTH:
		local_wait(&h->waiting, x);
		start_ping(h);
		return;
	case LOCAL_METRICS:
		buf_init(&text, METRICS_MAX);
		render_all(h, &text);
		local_metrics(x, buf_span(&text));
		buf_free(&text);
		return;
	case LOCAL_ATTESTATION:
	case LOCAL_OTHER:
		local_other(x);
		return;
	}
}

static void on_route(void *owner, struct exchange *x)
{
	struct host *h = owner;
	struct exchange_info *info = exchange_info(x);
	struct error err;
	bool answer = info->target.kind == TARGET_SELF;
	if (answer && local_path(x) == LOCAL_ATTESTATION) {
		hop_clean(info->request, &h->via); /* the enclave's own, as it was asked for */
		exchange_forward(x);
		return;
	}
	if (answer) {
		answer_locally(h, x);
		return;
	}
	if (!hop_max_forwards(info->request, &answer, &err)) {
		err.hop = HOP_CLIENT;
		exchange_refuse(x, &err);
	} else if (answer) {
		answer_locally(h, x);
	} else if (!rewrite(h, x, &err)) {
		err.hop = HOP_CLIENT;
		exchange_refuse(x, &err);
	} else {
		exchange_forward(x);
	}
}

/* ---- the role of exchanges ---- */

static void *on_open(void *owner, struct exchange *x, bool fresh, exchange_open_fn *fn, void *arg)
{
	struct host *h = owner;
	return enclave_pool_open(h->pool, exchange_info(x)->id, fresh, fn, arg);
}

static void on_cancel(void *owner, void *opening)
{
	struct host *h = owner;
	enclave_pool_cancel(h->pool, opening);
}

static bool on_response(void *owner, struct exchange *x, struct head *head, struct error *err)
{
	struct host *h = owner;
	struct exchange_info *info = exchange_info(x);
	if (head->status == 101 && !info->request->upgrade)
		return error_set(err, ERR_UPGRADE, "protocols were switched without being asked to");
	hop_clean(head, &h->via);
	if (info->trace && head->status >= 200)
		trace_tell_host(info->trace, head, monotonic_us() - info->started_us);
	return true;
}

static void on_check_drained(struct task *t)
{
	struct host *h = container_of(t, struct host, check_drained);
	if (!list_empty(&h->role.running) || front_connections(h->front) || h->pinging ||
	    (h->ingress && ingress_host_open(h->ingress)))
		return;
	h->draining = false;
	h->drained(h->drained_arg);
}

static void check_drained(void *owner)
{
	struct host *h = owner;
	if (h->draining && !task_posted(&h->check_drained))
		loop_post(h->loop, &h->check_drained, on_check_drained);
}

static void on_done(void *owner, struct exchange *x)
{
	struct host *h = owner;
	struct exchange_info *info = exchange_info(x);
	if (info->failed && info->err.hop == HOP_ENCLAVE)
		h->last_error = info->err;
	account_exchange(info, &crew_figures(h->crew)->metrics);
	front_done(x);
	local_forget(&h->waiting, x);
	check_drained(h);
}

/* ---- health and metrics ---- */

static void on_pong(void *arg, struct span status, uint64_t us, const struct error *err)
{
	struct host *h = arg;
	struct health_report report;
	struct error unreadable;
	struct buf json;
	h->pinging = false;
	health_report_init(&report);
	if (!err && !health_report_read(&report, HEALTH_OF_ENCLAVE, status, &unreadable))
		err = &unreadable;
	if (err)
		h->last_error = *err;
	if (err && !err->hop)
		h->last_error.hop = HOP_ENCLAVE;
	struct health_hop enclave = {.name = "enclave",
				     .address = h->settings->host_proxy.enclave,
				     .ok = !err,
				     .latency_us = us,
				     .last = h->last_error,
				     .report = &report};
	buf_init(&json, BLOCK_SIZE);
	bool ok = health_json(&json, "host", h->settings, crew_started_us(h->crew), &enclave, NULL);
	local_answer_all(&h->waiting, buf_span(&json), ok);
	buf_free(&json);
	health_report_free(&report);
	check_drained(h);
}

static void start_ping(struct host *h)
{
	if (h->pinging)
		return;
	h->pinging = true;
	enclave_pool_ping(h->pool, on_pong, h);
}

static void render_metrics(struct host *h, struct buf *out)
{
	struct figures f;
	crew_total(h->crew, &f);
	metrics_render(&f.metrics, "host", out);
	metrics_line(out, "host", "gauge", "client_connections", "Client connections that are open.",
		     f.connections);
	metrics_line(out, "host", "gauge", "enclave_connections", "Connections to the enclave that are open.",
		     f.pool.open);
	metrics_line(out, "host", "gauge", "enclave_idle", "Of these, idle in the pool.", f.pool.idle);
	metrics_line(out, "host", "counter", "enclave_opened_total", "Connections to the enclave opened.",
		     f.pool.opened);
	metrics_line(out, "host", "counter", "enclave_failed_total",
		     "Times the enclave could not be reached.", f.pool.failed);
	trunk_metrics(&f.trunk, "host", out);
	if (h->ingress) {
		metrics_line(out, "host", "gauge", "ingress_connections",
			     "Ingress connections that are open.", f.ingress.open);
		metrics_line(out, "host", "counter", "ingress_accepted_total",
			     "Ingress connections accepted.", f.ingress.accepted);
		metrics_line(out, "host", "counter", "ingress_failed_total",
			     "Of these, those that did not reach the enclave.", f.ingress.failed);
	}
	crew_metrics(h->crew, "host", &f, out);
}

/* Ours, and what the enclave said last. */
static void render_all(struct host *h, struct buf *out)
{
	struct buf own, theirs;
	buf_init(&own, BLOCK_SIZE);
	buf_init(&theirs, FRAME_METRICS_MAX);
	crew_told(h->crew, &theirs);
	render_metrics(h, &own);
	metrics_line(&own, "host", "gauge", "enclave_watched",
		     "1: the enclave's metrics and log lines arrive.", theirs.n > 0);
	metrics_merge(buf_span(&own), buf_span(&theirs), out);
	buf_free(&own);
	buf_free(&theirs);
}

/* ---- life ---- */

struct host *host_new(struct loop *l, const struct settings *s, struct crew *crew, struct error *err)
{
	struct enclave_pool_config pool = {.limits = PARSE_LIMITS_MAX,
					   .max = crew_share(crew, s->limits.enclave_connections),
					   .connect_ms = s->timeouts.enclave_connect,
					   .idle_ms = s->timeouts.pool_idle,
					   .workers = crew->count,
					   .trunk = s->trunk ? &crew_figures(crew)->trunk : NULL,
					   .stats = &crew_figures(crew)->pool};
	if (!address_parse(s->host_proxy.enclave, &pool.enclave, err))
		return NULL;
	struct host *h = mem_zero(sizeof *h);
	h->loop = l;
	h->settings = s;
	h->crew = crew;
	h->role = (struct exchange_role){.agent = AGENT,
					 .self = HOP_HOST,
					 .next = HOP_ENCLAVE,
					 .ms = exchange_ms(s),
					 .max_retries = s->host_proxy.max_retries,
					 .retry_delay_ms = s->host_proxy.retry_delay,
					 .open = on_open,
					 .cancel = on_cancel,
					 .on_response = on_response,
					 .on_done = on_done,
					 .owner = h};
	h->role.ms.response_header += s->timeouts.tunnel_connect + s->timeouts.tls_handshake + PATIENCE_MS;
	h->role.ms.response_stall += PATIENCE_MS;
	list_init(&h->role.running);
	h->role.pipes = splice_pool_new(PIPES);
	local_init(&h->waiting);
	via_init(&h->via, "host", crew->id);
	h->pool = enclave_pool_new(l, &pool);
	if (s->host_proxy.enclave_log && crew->index == 0) /* every line once */
		h->signals = signals_in_start(l, &pool.enclave, s->timeouts.enclave_connect, crew);
	struct front_config front = {.settings = s,
				     .role = &h->role,
				     .via = &h->via,
				     .crew = crew,
				     .metrics = &crew_figures(crew)->metrics,
				     .route = on_route,
				     .on_closed = check_drained,
				     .owner = h};
	h->front = front_new(l, &front, err);
	if (h->front && s->ingress.listen[0])
		h->ingress = ingress_host_new(l, s, crew, check_drained, h, err);
	if (h->front && (h->ingress || !s->ingress.listen[0]))
		return h;
	host_free(h);
	return NULL;
}

void host_accept(void *arg, struct stream *s)
{
	front_accept(((struct host *)arg)->front, s);
}

void host_add(struct host *h, struct listener *li)
{
	front_add(h->front, li);
}

void host_accept_ingress(void *arg, struct stream *s)
{
	ingress_host_accept(((struct host *)arg)->ingress, s);
}

void host_add_ingress(struct host *h, struct listener *li)
{
	ingress_host_add(h->ingress, li);
}

void host_drain(struct host *h, void (*drained)(void *arg), void *arg)
{
	h->draining = true;
	h->drained = drained;
	h->drained_arg = arg;
	front_drain(h->front);
	if (h->ingress)
		ingress_host_drain(h->ingress);
	check_drained(h);
}

void host_free(struct host *h)
{
	exchange_abandon_all(&h->role); /* what a drain has not waited for */
	front_free(h->front);
	ingress_host_free(h->ingress);
	enclave_pool_free(h->pool);
	signals_in_free(h->signals);
	splice_pool_free(h->role.pipes);
	task_cancel(&h->check_drained); /* last: what goes above asks for it */
	free(h);
}

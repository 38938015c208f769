#include "proxy/enclave.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proxy/access.h"
#include "proxy/account.h"
#include "proxy/attest.h"
#include "proxy/channel.h"
#include "proxy/enclave_status.h"
#include "proxy/front.h"
#include "proxy/ingress.h"
#include "proxy/local.h"
#include "proxy/signals.h"
#include "proxy/upstream.h"
#include "tls/entropy.h"

#define AGENT	     "nitroproxy-enclave"
#define PIPES	     128  /* for CONNECTs in bulk at a time; more go on without */
#define SESSIONS_MAX 4096 /* TLS tickets, some 2 KiB each */

struct enclave {
	struct loop *loop;
	const struct settings *settings;
	struct policy policy;
	struct tls_conf *tls;
	struct session_cache *sessions;
	struct upstream *upstream;
	struct enclave_status *status;
	struct attest *attest;
	struct via via;
	struct enclave_surroundings around;
	struct signals_out *signals;
	struct metrics metrics;
	struct exchange_role role;
	struct channel_server_config channels;
	struct listener *frames; /* owned; NULL: stopped, or none */
	bool paused;
	struct front *front;	 /* for apps inside */
	struct ingress *ingress; /* NULL: there is none */
	bool draining;
	struct task check_drained;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* ---- requests ---- */

static bool judge(struct enclave *e, struct exchange *x, struct error *err)
{
	struct exchange_info *info = exchange_info(x);
	const struct target *t = &info->target;
	struct policy_verdict v;
	if (t->kind == TARGET_URL && !t->https && !e->settings->allow_plain_http)
		return error_set_hop(
			err, ERR_DENIED, HOP_ENCLAVE,
			"http:// targets can be read and altered on their way; use https://, or set "
			"allow_plain_http");
	if (t->kind == TARGET_URL && t->https && e->around.clock_good &&
	    !e->around.clock_good(e->around.arg, err))
		return false;
	struct policy_request r = {
		.host = t->host, .port = t->port, .method = info->request->method, .path = t->path};
	policy_judge(&e->policy, &r, &v);
	if (v.denied && v.pass)
		log_write(LOG_WARN, "the policy would deny this", LOG_ERR(&v.why));
	*err = v.why;
	err->hop = HOP_ENCLAVE;
	return v.pass;
}

/* The request as the service shall see it (RFC 9112 section 3.2.1): origin form, its own Host first. */
static bool rewrite(struct enclave *e, struct exchange *x, struct error *err)
{
	struct exchange_info *info = exchange_info(x);
	struct head *h = info->request;
	char authority[TARGET_AUTHORITY_MAX];
	if (e->settings->trace && trace_asked(h))
		info->trace = mem_zero(sizeof *info->trace);
	hop_clean(h, &e->via);
	if (info->target.kind == TARGET_TUNNEL)
		return true;
	target_authority(&info->target, authority);
	struct buf *text = exchange_text(x);
	buf_add_text(text, authority);
	head_remove(h, "Host");
	if (buf_full(text) || !head_add(h, SPAN("Host"), buf_span(text)))
		return error_set(err, ERR_HEAD_SIZE, "the request has too many fields");
	struct field host = h->fields[h->count - 1];
	memmove(h->fields + 1, h->fields, (h->count - 1) * sizeof h->fields[0]);
	h->fields[0] = host;
	h->target = info->target.path;
	return true;
}

static void on_route(void *owner, struct exchange *x)
{
	struct enclave *e = owner;
	struct exchange_info *info = exchange_info(x);
	struct error err;
	bool answer = false;
	if (info->target.kind == TARGET_SELF) {
		if (local_path(x) == LOCAL_ATTESTATION)
			attest_reply(e->attest, x, NULL);
		else
			enclave_status_reply(e->status, x);
		return;
	}
	if (!judge(e, x, &err) || !hop_max_forwards(info->request, &answer, &err)) {
		exchange_refuse(x, &err);
	} else if (answer) {
		enclave_status_reply(e->status, x);
	} else if (!rewrite(e, x, &err)) {
		exchange_refuse(x, &err);
	} else {
		exchange_forward(x);
	}
}

static void on_frame_request(void *owner, struct channel_server *c, uint64_t id, struct leg *leg,
			     struct part *part)
{
	struct enclave *e = owner;
	struct error err;
	(void)c;
	struct exchange *x = exchange_new(e->loop, &e->role, id, leg, part);
	if (front_target(x, e->settings, &e->via, &err)) {
		on_route(e, x);
		return;
	}
	err.hop = HOP_CLIENT;
	exchange_refuse(x, &err);
}

/* ---- the role of exchanges ---- */

static void *on_open(void *owner, struct exchange *x, bool fresh, exchange_open_fn *fn, void *arg)
{
	struct enclave *e = owner;
	struct exchange_info *info = exchange_info(x);
	return upstream_open(e->upstream, &info->target, info->id, fresh, info->trace, fn, arg);
}

static void on_cancel(void *owner, void *opening)
{
	struct enclave *e = owner;
	upstream_cancel(e->upstream, opening);
}

static bool on_response(void *owner, struct exchange *x, struct head *h, struct error *err)
{
	struct enclave *e = owner;
	struct exchange_info *info = exchange_info(x);
	if (h->status == 101 && !info->request->upgrade)
		return error_set(err, ERR_UPGRADE, "the service switched protocols without being asked to");
	hop_clean(h, &e->via);
	if (info->trace && h->status >= 200)
		trace_tell_enclave(info->trace, h, monotonic_us() - info->started_us,
				   monotonic_us() - info->opened_us);
	if (!e->settings->tls.verify_certificates)
		head_add(h, SPAN("X-Nitroproxy-Insecure"), SPAN("certificates are not verified"));
	return true;
}

/* ---- draining ---- */

static void on_check_drained(struct task *t)
{
	struct enclave *e = container_of(t, struct enclave, check_drained);
	if (!list_empty(&e->role.running) || e->channels.count || front_connections(e->front) ||
	    ingress_busy(e->ingress))
		return;
	e->draining = false;
	e->drained(e->drained_arg);
}

/* Something is about to go: look in a moment whether it was the last. */
static void check_drained(void *owner)
{
	struct enclave *e = owner;
	if (e->draining && !task_posted(&e->check_drained))
		loop_post(e->loop, &e->check_drained, on_check_drained);
}

static void on_done(void *owner, struct exchange *x)
{
	struct enclave *e = owner;
	account_exchange(exchange_info(x), &e->metrics);
	front_done(x);
	enclave_status_done(e->status, x);
	attest_done(e->attest, x);
	check_drained(e);
}

/* ---- connections from the host ---- */

static void on_refused(void *owner, struct channel_server *c, const struct error *err)
{
	struct enclave *e = owner;
	(void)c;
	e->metrics.refused++;
	metrics_error(&e->metrics, err);
	log_write(LOG_WARN, "frames refused", LOG_ERR(err));
}

static void on_channel_closed(void *owner, struct channel_server *c)
{
	struct enclave *e = owner;
	(void)c;
	check_drained(e);
	if (!e->paused || !e->frames)
		return;
	e->paused = false;
	listener_resume(e->frames);
}

static void on_metrics(void *owner, struct buf *out)
{
	struct enclave *e = owner;
	if (e->around.metrics)
		e->around.metrics(e->around.arg, out);
}

static void on_watch(void *owner, struct stream *s)
{
	struct enclave *e = owner;
	signals_out_watch(e->signals, s);
}

static void render_metrics(void *arg, struct buf *out)
{
	struct enclave *e = arg;
	enclave_status_metrics(e->status, out);
	if (e->around.lines)
		metrics_line(out, "enclave", "counter", "log_overrun_total",
			     "Log lines the host did not fetch in time.", log_ring_dropped(e->around.lines));
}

static void on_ping(void *owner)
{
	struct enclave *e = owner;
	enclave_status_ask(e->status);
}

static void on_status(void *owner, struct span json)
{
	struct enclave *e = owner;
	channel_server_pong_all(&e->channels, json);
}

void enclave_accept(void *arg, struct stream *s)
{
	struct enclave *e = arg;
	struct error err;
	if (!access_allows(e->settings, s, &err)) {
		on_refused(e, NULL, &err);
		stream_close(s);
		return;
	}
	e->metrics.connections++;
	channel_server_start(s, &e->channels);
	if (e->channels.count < e->settings->limits.connections)
		return;
	e->paused = true;
	listener_pause(e->frames);
}

void enclave_accept_http(void *arg, struct stream *s)
{
	front_accept(((struct enclave *)arg)->front, s);
}

void enclave_add(struct enclave *e, struct listener *frames)
{
	e->frames = frames;
}

void enclave_accept_ingress(void *arg, struct stream *s)
{
	ingress_accept(((struct enclave *)arg)->ingress, s);
}

void enclave_add_ingress(struct enclave *e, struct listener *ingress)
{
	ingress_add(e->ingress, ingress);
}

void enclave_add_http(struct enclave *e, struct listener *http)
{
	front_add(e->front, http);
}

/* ---- life ---- */

static struct tls_conf *load_tls(const struct settings *s, struct error *err)
{
	const char **suites = NULL, **files = NULL;
	const struct text_list *list = &s->tls.cipher_suites;
	struct tls_options options = {.min_version = s->tls.min_version,
				      .no_verify = !s->tls.verify_certificates};
	if (list->count) {
		suites = mem_zero((list->count + 1) * sizeof *suites);
		memcpy(suites, list->items, list->count * sizeof *suites);
		options.cipher_suites = suites;
	}
	list = &s->tls.ca_file;
	if (list->count) {
		files = mem_zero((list->count + 1) * sizeof *files);
		memcpy(files, list->items, list->count * sizeof *files);
		options.ca_files = files;
	}
	struct tls_conf *conf = tls_conf_new(&options, err);
	free(suites);
	free(files);
	return conf;
}

static bool load(struct enclave *e, struct error *err)
{
	const struct settings *s = e->settings;
	struct policy_source policy = {.mode = s->policy.mode,
				       .without_rules = s->policy.without_rules,
				       .allow = &s->policy.allow,
				       .deny = &s->policy.deny,
				       .file = s->policy.file};
	if (!policy_load(&e->policy, &policy, err) || !entropy_start(err))
		return false;
	e->tls = load_tls(s, err);
	if (!e->tls)
		return false;
	struct upstream_config up = {.reach = {.tls = e->tls,
					       .tunnel_ms = s->timeouts.tunnel_connect,
					       .tls_ms = s->timeouts.tls_handshake},
				     .connections_per_target = s->limits.connections_per_target,
				     .idle_per_target = s->limits.pool_idle,
				     .idle_total = s->limits.pool_total,
				     .idle_ms = s->timeouts.pool_idle,
				     .limits = {.head_bytes = s->limits.header_bytes,
						.fields = s->limits.header_count,
						.target_bytes = s->limits.url_length}};
	if (!address_parse(s->enclave.tunnel, &up.reach.tunnel, err))
		return false;
	e->sessions = session_cache_new(SESSIONS_MAX);
	up.reach.sessions = e->sessions;
	e->upstream = upstream_new(e->loop, &up);
	e->attest = attest_new(e->loop, s, &e->policy, e->tls, err);
	if (!e->attest)
		return false;
	struct enclave_status_config status = {.settings = s,
					       .policy = &e->policy,
					       .attest = e->attest,
					       .tls = e->tls,
					       .metrics = &e->metrics,
					       .upstream = e->upstream,
					       .on_status = on_status,
					       .on_metrics = on_metrics,
					       .owner = e};
	e->status = enclave_status_new(e->loop, &status);
	struct front_config front = {.settings = s,
				     .role = &e->role,
				     .via = &e->via,
				     .metrics = &e->metrics,
				     .route = on_route,
				     .on_closed = check_drained,
				     .owner = e};
	e->front = front_new(e->loop, &front, err);
	if (!e->front || !s->ingress.enclave_listen[0])
		return e->front != NULL;
	e->ingress = ingress_new(e->loop, &(struct ingress_config){.front = front, .attest = e->attest}, err);
	return e->ingress != NULL;
}

struct enclave *enclave_new(struct loop *l, const struct settings *s, struct error *err)
{
	struct enclave *e = mem_zero(sizeof *e);
	e->loop = l;
	e->settings = s;
	e->role = (struct exchange_role){.agent = AGENT,
					 .self = HOP_ENCLAVE,
					 .next = HOP_SERVICE,
					 .ms = {.body_stall = s->timeouts.body_stall,
						.response_header = s->timeouts.response_header,
						.response_stall = s->timeouts.response_stall,
						.tunnel_idle = s->timeouts.tunnel_idle},
					 .open = on_open,
					 .cancel = on_cancel,
					 .on_response = on_response,
					 .on_done = on_done,
					 .owner = e};
	e->channels = (struct channel_server_config){
		/* The host adds to what its clients sent: a target with its scheme, and Via. */
		.limits = PARSE_LIMITS_MAX,
		.on_request = on_frame_request,
		.on_refused = on_refused,
		.on_ping = on_ping,
		.on_watch = on_watch,
		.on_closed = on_channel_closed,
		.owner = e};
	e->signals = signals_out_new(l, render_metrics, e);
	list_init(&e->role.running);
	e->role.pipes = splice_pool_new(PIPES);
	list_init(&e->channels.conns);
	via_init(&e->via, "enclave", front_new_id());
	if (load(e, err))
		return e;
	enclave_free(e);
	return NULL;
}

void enclave_surround(struct enclave *e, const struct enclave_surroundings *around)
{
	e->around = *around;
	signals_out_lines(e->signals, around->lines);
}

void enclave_log_start(const struct enclave *e)
{
	enclave_status_log(e->status);
}

static void stop_frames(struct enclave *e)
{
	if (e->frames)
		listener_stop(e->frames);
	e->frames = NULL;
}

void enclave_drain(struct enclave *e, void (*drained)(void *arg), void *arg)
{
	e->draining = true;
	e->drained = drained;
	e->drained_arg = arg;
	stop_frames(e);
	front_drain(e->front);
	if (e->ingress)
		ingress_drain(e->ingress);
	channel_server_drain_all(&e->channels);
	check_drained(e);
}

void enclave_free(struct enclave *e)
{
	exchange_abandon_all(&e->role); /* what a drain has not waited for */
	stop_frames(e);
	front_free(e->front);
	ingress_free(e->ingress);
	channel_server_close_all(&e->channels);
	signals_out_free(e->signals);
	if (e->status)
		enclave_status_free(e->status);
	attest_free(e->attest);
	if (e->upstream)
		upstream_free(e->upstream);
	session_cache_free(e->sessions);
	tls_conf_free(e->tls);
	policy_free(&e->policy);
	splice_pool_free(e->role.pipes);
	task_cancel(&e->check_drained); /* last: what goes above asks for it */
	free(e);
}

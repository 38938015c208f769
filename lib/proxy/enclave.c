#include <stdlib.h>

#include "base/mem.h"
#include "proxy/enclave_impl.h"

#define SESSIONS_MAX 4096 /* TLS tickets, some 2 KiB each */

/* ---- draining ---- */

static void on_check_drained(struct task *t)
{
	struct enclave *e = container_of(t, struct enclave, check_drained);
	if (!list_empty(&e->role.running) || e->channels.count || front_connections(e->front) ||
	    ingress_busy(e->ingress) || trunk_server_busy(e->trunks))
		return;
	e->draining = false;
	e->drained(e->drained_arg);
}

void enclave_check_drained(void *owner)
{
	struct enclave *e = owner;
	if (e->draining && !task_posted(&e->check_drained))
		loop_post(e->loop, &e->check_drained, on_check_drained);
}

/* ---- listeners, and what others ask ---- */

static void on_metrics(void *owner, struct buf *out)
{
	struct enclave *e = owner;
	if (e->around.metrics)
		e->around.metrics(e->around.arg, out);
}

static void render_metrics(void *arg, struct buf *out)
{
	struct enclave *e = arg;
	enclave_status_metrics(e->status, out);
	if (e->around.lines)
		metrics_line(out, "enclave", "counter", "log_overrun_total",
			     "Log lines the host did not fetch in time.", log_ring_dropped(e->around.lines));
}

static void on_status(void *owner, struct span json)
{
	struct enclave *e = owner;
	channel_server_pong_all(&e->channels, json);
}

void enclave_accept_http(void *arg, struct stream *s)
{
	front_accept(((struct enclave *)arg)->front, s);
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

static bool load_receipts(struct enclave *e, struct error *err)
{
	uint8_t key[HASH_SIZE];
	e->receipts = witness_key_new(err);
	if (!e->receipts)
		return false;
	witness_key_sha256(e->receipts, key);
	return attest_set_receipt_key(e->attest, key, err);
}

static bool load(struct enclave *e, struct error *err)
{
	const struct settings *s = e->settings;
	struct policy_source policy = {.mode = s->policy.mode,
				       .without_rules = s->policy.without_rules,
				       .allow = &s->policy.allow,
				       .deny = &s->policy.deny,
				       .file = s->policy.file};
	if (!policy_load(&e->policy, &policy, err))
		return false;
	e->tls = load_tls(s, err);
	if (!e->tls)
		return false;
	struct upstream_config up = {.reach = {.tls = e->tls,
					       .tunnel_ms = s->timeouts.tunnel_connect,
					       .tls_ms = s->timeouts.tls_handshake},
				     .connections_per_target =
					     crew_share(e->crew, s->limits.connections_per_target),
				     .idle_per_target = crew_share(e->crew, s->limits.pool_idle),
				     .idle_total = crew_share(e->crew, s->limits.pool_total),
				     .idle_ms = s->timeouts.pool_idle,
				     .stats = &e->figures->upstream,
				     .limits = {.head_bytes = s->limits.header_bytes,
						.fields = s->limits.header_count,
						.target_bytes = s->limits.url_length}};
	if (!address_parse(s->enclave.tunnel, &up.reach.tunnel, err))
		return false;
	struct trunk_client_config trunk = {.to = up.reach.tunnel,
					    .wire = TRUNK_TUNNEL,
					    .connect_ms = s->timeouts.tunnel_connect,
					    .workers = e->crew->count,
					    .stats = &e->figures->trunk};
	if (s->trunk)
		up.reach.trunk = e->trunk = trunk_client_new(e->loop, &trunk);
	e->sessions = session_cache_new(SESSIONS_MAX);
	up.reach.sessions = e->sessions;
	e->upstream = upstream_new(e->loop, &up);
	e->attest = attest_new(e->loop, s, &e->policy, e->tls, e->crew->documents, err);
	if (!e->attest || (s->receipts && !load_receipts(e, err)))
		return false;
	struct enclave_status_config status = {.settings = s,
					       .policy = &e->policy,
					       .attest = e->attest,
					       .tls = e->tls,
					       .crew = e->crew,
					       .upstream = e->upstream,
					       .receipts = e->receipts,
					       .on_status = on_status,
					       .on_metrics = on_metrics,
					       .owner = e};
	e->status = enclave_status_new(e->loop, &status);
	struct front_config front = {.settings = s,
				     .role = &e->role,
				     .via = &e->via,
				     .crew = e->crew,
				     .metrics = &e->figures->metrics,
				     .route = enclave_route,
				     .on_closed = enclave_check_drained,
				     .owner = e};
	e->front = front_new(e->loop, &front, err);
	if (!e->front || !s->ingress.enclave_listen[0])
		return e->front != NULL;
	e->ingress = ingress_new(e->loop, &(struct ingress_config){.front = front, .attest = e->attest}, err);
	return e->ingress != NULL;
}

struct enclave *enclave_new(struct loop *l, const struct settings *s, struct crew *crew, struct error *err)
{
	struct enclave *e = mem_zero(sizeof *e);
	e->loop = l;
	e->settings = s;
	e->crew = crew;
	e->figures = crew_figures(crew);
	enclave_role_init(e);
	enclave_channels_init(e);
	e->signals = signals_out_new(l, render_metrics, e);
	via_init(&e->via, "enclave", crew->id);
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
	upstream_drain(e->upstream);
	front_drain(e->front);
	if (e->ingress)
		ingress_drain(e->ingress);
	trunk_server_drain(e->trunks);
	channel_server_drain_all(&e->channels);
	enclave_check_drained(e);
}

void enclave_free(struct enclave *e)
{
	exchange_abandon_all(&e->role); /* what a drain has not waited for */
	stop_frames(e);
	front_free(e->front);
	ingress_free(e->ingress);
	channel_server_close_all(&e->channels);
	trunk_server_free(e->trunks);
	signals_out_free(e->signals);
	if (e->status)
		enclave_status_free(e->status);
	attest_free(e->attest);
	witness_key_free(e->receipts);
	if (e->upstream)
		upstream_free(e->upstream);
	trunk_client_free(e->trunk);
	session_cache_free(e->sessions);
	tls_conf_free(e->tls);
	policy_free(&e->policy);
	splice_pool_free(e->role.pipes);
	task_cancel(&e->check_drained); /* last: what goes above asks for it */
	free(e);
}

#include "proxy/enclave_status.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/frame.h"
#include "proxy/health.h"
#include "proxy/local.h"
#include "proxy/trunk_client.h"
#include "tls/chain_cache.h"

/* What the tunnel said is believed for so long: many who ask at a time cost it one question. */
#define FRESH_US 500000

struct enclave_status {
	struct loop *loop;
	struct enclave_status_config config;
	struct health_hop tunnel;
	struct health_report report; /* the tunnel's own */
	bool ok;
	uint64_t asked_us, answered_us;
	bool asking;
	bool host_waits;	    /* on_status is owed */
	struct local_waiting local; /* requests for /health */
	struct task answer;
	uint64_t chain_hits, receipts; /* that stand in the figures */
	char policy_hex[65], trust_hex[65];
};

static void to_hex(char out[65], const uint8_t in[32])
{
	static const char digit[] = "0123456789abcdef";
	for (int i = 0; i < 32; i++) {
		out[2 * i] = digit[in[i] >> 4];
		out[2 * i + 1] = digit[in[i] & 15];
	}
	out[64] = '\0';
}

static void render(struct enclave_status *s, struct buf *out)
{
	struct buf extra;
	const struct settings *set = s->config.settings;
	buf_init(&extra, 4096);
	buf_printf(&extra,
		   ",\"policy\":{\"sha256\":\"%s\",\"mode\":\"%s\",\"rules\":%zu},\"tls\":{\"min_version\":"
		   "\"%s\","
		   "\"verify_certificates\":%s,\"roots\":%zu,\"trust_sha256\":\"%s\"},",
		   s->policy_hex, s->config.policy->mode == POLICY_ENFORCE ? "enforce" : "report",
		   s->config.policy->count, set->tls.min_version == TLS_1_3 ? "TLSv1.3" : "TLSv1.2",
		   set->tls.verify_certificates ? "true" : "false", tls_conf_root_count(s->config.tls),
		   s->trust_hex);
	attest_status(s->config.attest, &extra);
	s->ok = health_json(out, "enclave", set, crew_started_us(s->config.crew), &s->tunnel,
			    buf_text(&extra));
	buf_free(&extra);
}

static void on_answer(struct task *t)
{
	struct enclave_status *s = container_of(t, struct enclave_status, answer);
	struct buf json;
	buf_init(&json, FRAME_PONG_MAX);
	render(s, &json);
	if (s->host_waits) {
		s->host_waits = false;
		s->config.on_status(s->config.owner, buf_span(&json));
	}
	local_answer_all(&s->local, buf_span(&json), s->ok);
	buf_free(&json);
}

static void on_pong(void *arg, struct span status, const struct error *err)
{
	struct enclave_status *s = arg;
	struct error unreadable;
	s->asking = false;
	s->answered_us = monotonic_us();
	s->tunnel.latency_us = s->answered_us - s->asked_us;
	if (err)
		health_report_free(&s->report);
	s->tunnel.ok = !err && health_report_read(&s->report, HEALTH_OF_TUNNEL, status, &unreadable);
	if (!s->tunnel.ok)
		s->tunnel.last = err ? *err : unreadable;
	if (!task_posted(&s->answer))
		loop_post(s->loop, &s->answer, on_answer);
}

static void ask(struct enclave_status *s)
{
	if (s->asking)
		return;
	if (s->answered_us && monotonic_us() - s->answered_us < FRESH_US) {
		if (!task_posted(&s->answer))
			loop_post(s->loop, &s->answer, on_answer);
		return;
	}
	s->asking = true;
	s->asked_us = monotonic_us();
	upstream_ping(s->config.upstream, on_pong, s);
}

void enclave_status_ask(struct enclave_status *s)
{
	s->host_waits = true;
	ask(s);
}

/* Into the figures, which outlive those that do the counting. */
static void count(struct enclave_status *s)
{
	struct figures *f = crew_figures(s->config.crew);
	struct chain_cache_stats now;
	tls_conf_chain_stats(s->config.tls, &now);
	uint64_t signed_now = s->config.receipts ? witness_key_signed(s->config.receipts) : 0;
	f->chain_hits += now.hits - s->chain_hits;
	f->receipts += signed_now - s->receipts;
	s->chain_hits = now.hits;
	s->receipts = signed_now;
}

void enclave_status_metrics(struct enclave_status *s, struct buf *out)
{
	struct figures f;
	const struct upstream_stats *up = &f.upstream;
	count(s);
	crew_total(s->config.crew, &f);
	metrics_render(&f.metrics, "enclave", out);
	metrics_line(out, "enclave", "gauge", "upstream_connections",
		     "Connections to services that are open.", up->open);
	metrics_line(out, "enclave", "gauge", "upstream_idle", "Of these, idle in the pool.", up->idle);
	metrics_line(out, "enclave", "counter", "upstream_opened_total", "Connections to services opened.",
		     up->opened);
	metrics_line(out, "enclave", "counter", "upstream_reused_total", "Exchanges on a pooled connection.",
		     up->reused);
	metrics_line(out, "enclave", "counter", "upstream_ahead_total",
		     "Connections to services begun before a request needed them.", up->ahead);
	metrics_line(out, "enclave", "counter", "upstream_ahead_used_total", "Of these, taken by a request.",
		     up->ahead_used);
	metrics_line(out, "enclave", "counter", "upstream_ahead_failed_total",
		     "Of these, failed before one had.", up->ahead_failed);
	trunk_metrics(&f.trunk, "enclave", out);
	metrics_line(out, "enclave", "counter", "tls_full_total", "Full TLS handshakes.", up->tls_full);
	metrics_line(out, "enclave", "counter", "tls_resumed_total", "Resumed TLS handshakes.",
		     up->tls_resumed);
	metrics_line(out, "enclave", "counter", "tls_chain_hits_total",
		     "Certificate chains that were known already.", f.chain_hits);
	if (s->config.receipts)
		metrics_line(out, "enclave", "counter", "receipts_total", "Receipts that were signed.",
			     f.receipts);
	crew_metrics(s->config.crew, "enclave", &f, out);
	s->config.on_metrics(s->config.owner, out);
}

void enclave_status_reply(struct enclave_status *s, struct exchange *x)
{
	switch (local_path(x)) {
	case LOCAL_HEALTH:
		local_wait(&s->local, x);
		ask(s);
		return;
	case LOCAL_METRICS: {
		struct buf text;
		buf_init(&text, BLOCK_SIZE);
		enclave_status_metrics(s, &text);
		local_metrics(x, buf_span(&text));
		buf_free(&text);
		return;
	}
	case LOCAL_ATTESTATION: /* of somebody else, and Max-Forwards is used up */
	case LOCAL_OTHER:
		local_other(x);
		return;
	}
}

void enclave_status_done(struct enclave_status *s, const struct exchange *x)
{
	count(s);
	local_forget(&s->local, x);
}

void enclave_status_log(const struct enclave_status *s)
{
	const struct policy *p = s->config.policy;
	log_write(LOG_INFO, "policy", LOG_STR("sha256", s->policy_hex),
		  LOG_STR("mode", p->mode == POLICY_ENFORCE ? "enforce" : "report"),
		  LOG_UINT("rules", p->count),
		  LOG_STR("default", p->otherwise == POLICY_ALLOW ? "allow" : "deny"));
	log_write(LOG_INFO, "trust store", LOG_STR("sha256", s->trust_hex),
		  LOG_UINT("roots", tls_conf_root_count(s->config.tls)),
		  LOG_UINT("skipped", tls_conf_roots_skipped(s->config.tls)));
	const struct policy_rule *gap = policy_connect_gap(p);
	if (gap)
		log_write(LOG_WARN, "CONNECT gets round a deny rule about paths", LOG_STR("rule", gap->text));
}

struct enclave_status *enclave_status_new(struct loop *l, const struct enclave_status_config *config)
{
	uint8_t trust[32];
	struct enclave_status *s = mem_zero(sizeof *s);
	s->loop = l;
	s->config = *config;
	s->tunnel.name = "tunnel";
	s->tunnel.address = config->settings->enclave.tunnel;
	s->tunnel.report = &s->report;
	health_report_init(&s->report);
	local_init(&s->local);
	tls_conf_trust_sha256(config->tls, trust);
	to_hex(s->policy_hex, config->policy->digest);
	to_hex(s->trust_hex, trust);
	return s;
}

void enclave_status_free(struct enclave_status *s)
{
	task_cancel(&s->answer);
	health_report_free(&s->report);
	free(s);
}

#include "proxy/metrics.h"

#include <inttypes.h>

static const unsigned bounds[METRICS_BUCKETS - 1] = METRICS_BOUNDS;

void metrics_error(struct metrics *m, const struct error *err)
{
	m->errors[err->kind][err->hop]++;
}

void metrics_exchange(struct metrics *m, const struct exchange_info *info)
{
	uint64_t us = monotonic_us() - info->started_us;
	size_t bucket = 0;
	while (bucket < METRICS_BUCKETS - 1 && us > (uint64_t)bounds[bucket] * 1000)
		bucket++;
	m->latency[bucket]++;
	m->latency_us += us;
	m->latency_count++;
	m->by_class[info->status >= 100 && info->status < 600 ? info->status / 100 : 0]++;
	m->bytes_up += info->bytes_up;
	m->bytes_down += info->bytes_down;
	m->repeated += info->attempts > 1;
	if (info->failed)
		metrics_error(m, &info->err);
}

static void describe(struct buf *out, const char *type, const char *name, const char *help)
{
	buf_printf(out, "# HELP nitroproxy_%s %s\n# TYPE nitroproxy_%s %s\n", name, help, name, type);
}

void metrics_line(struct buf *out, const char *role, const char *type, const char *name, const char *help,
		  uint64_t value)
{
	describe(out, type, name, help);
	buf_printf(out, "nitroproxy_%s{role=\"%s\"} %" PRIu64 "\n", name, role, value);
}

static void render_errors(const struct metrics *m, const char *role, struct buf *out)
{
	describe(out, "counter", "errors_total", "Errors by kind and by the hop where they happened.");
	for (int kind = 1; kind < ERR_KINDS; kind++)
		for (int hop = 0; hop < HOP_COUNT; hop++)
			if (m->errors[kind][hop])
				buf_printf(
					out,
					"nitroproxy_errors_total{role=\"%s\",kind=\"%s\",hop=\"%s\"} %" PRIu64
					"\n",
					role, error_kind_name((enum error_kind)kind), hop_name((enum hop)hop),
					m->errors[kind][hop]);
}

static void render_latency(const struct metrics *m, const char *role, struct buf *out)
{
	uint64_t sum = 0;
	describe(out, "histogram", "request_duration_seconds",
		 "From a request's head to the end of its answer.");
	for (size_t i = 0; i < METRICS_BUCKETS; i++) {
		sum += m->latency[i];
		buf_printf(out, "nitroproxy_request_duration_seconds_bucket{role=\"%s\",le=\"", role);
		if (i < METRICS_BUCKETS - 1)
			buf_printf(out, "%g", bounds[i] / 1000.0);
		else
			buf_add_text(out, "+Inf");
		buf_printf(out, "\"} %" PRIu64 "\n", sum);
	}
	buf_printf(out, "nitroproxy_request_duration_seconds_sum{role=\"%s\"} %.6f\n", role,
		   (double)m->latency_us / 1e6);
	buf_printf(out, "nitroproxy_request_duration_seconds_count{role=\"%s\"} %" PRIu64 "\n", role,
		   m->latency_count);
}

void metrics_render(const struct metrics *m, const char *role, struct buf *out)
{
	describe(out, "counter", "requests_total",
		 "Exchanges that are over, by class of the status the client got.");
	for (int i = 0; i < 6; i++) {
		static const char *const class[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
		buf_printf(out, "nitroproxy_requests_total{role=\"%s\",code=\"%s\"} %" PRIu64 "\n", role,
			   class[i], m -> by_class[i]);
	}
	render_errors(m, role, out);
	metrics_line(out, role, "counter", "request_bytes_total", "Body bytes from clients.", m->bytes_up);
	metrics_line(out, role, "counter", "response_bytes_total", "Body bytes to clients.", m->bytes_down);
	metrics_line(out, role, "counter", "repeated_total", "Exchanges that took more than one attempt.",
		     m->repeated);
	metrics_line(out, role, "counter", "connections_total", "Connections accepted.", m->connections);
	metrics_line(out, role, "counter", "refused_total", "Connections and requests refused unread.",
		     m->refused);
	render_latency(m, role, out);
}

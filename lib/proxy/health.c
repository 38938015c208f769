#include "proxy/health.h"

#include "base/quote.h"
#include "proxy/exchange.h"

void health_text(struct buf *out, struct span s)
{
	char part[256];
	buf_add_text(out, "\"");
	while (s.n) {
		size_t taken, n = quote_json(part, sizeof part, s, &taken);
		buf_add(out, part, n);
		if (taken == 0)
			break;
		s = span_from(s, taken);
	}
	buf_add_text(out, "\"");
}

static void put_hop(struct buf *out, const struct health_hop *hop)
{
	health_text(out, span_of(hop->name));
	buf_printf(out, ":{\"state\":\"%s\",\"address\":", hop->ok ? "ok" : "failed");
	health_text(out, span_of(hop->address));
	if (hop->ok)
		buf_printf(out, ",\"latency_ms\":%.3f", (double)hop->latency_us / 1000);
	if (hop->last.kind != ERR_NONE) {
		buf_printf(out, ",\"last_error\":{\"kind\":\"%s\",\"hop\":\"%s\",\"detail\":",
			   error_kind_name(hop->last.kind), hop_name(hop->last.hop));
		health_text(out, span_of(hop->last.text));
		buf_add_text(out, "}");
	}
	if (hop->report->json.n) {
		buf_add_text(out, ",\"detail\":");
		buf_add_span(out, buf_span(&hop->report->json));
	}
	buf_add_text(out, "}");
}

static void put_sandbox(struct buf *out)
{
	const struct sandbox_state *now = sandbox_state();
	buf_printf(out, "\"sandbox\":{\"mode\":\"%s\",\"landlock\":%d,\"memory_locked\":%s}",
		   sandbox_mode_name(now->mode), now->landlock, now->memory_locked ? "true" : "false");
}

bool health_json(struct buf *out, const char *role, const struct settings *s, uint64_t started_us,
		 const struct health_hop *hop, const char *extra)
{
	bool ok = hop->ok && hop->report->ok;
	buf_printf(out, "{\"status\":\"%s\",\"role\":\"%s\",\"version\":\"" NP_VERSION "\",\"uptime_s\":%llu",
		   ok ? "ok" : "failed", role, (unsigned long long)((monotonic_us() - started_us) / 1000000));
	buf_printf(out, ",\"security\":{\"mode\":\"%s\",\"insecure\":[",
		   s->insecure.count ? "insecure" : "secure");
	for (size_t i = 0; i < s->insecure.count; i++) {
		buf_add_text(out, i ? "," : "");
		health_text(out, span_of(s->insecure.items[i]));
	}
	buf_add_text(out, "],");
	put_sandbox(out);
	buf_add_text(out, "},\"hops\":{");
	put_hop(out, hop);
	buf_add_text(out, "}");
	if (extra)
		buf_add_text(out, extra);
	buf_add_text(out, "}");
	return ok;
}

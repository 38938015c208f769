/* What is counted of exchanges, and that all of it is text the host lets through (signals_check.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "proxy/metrics.h"
#include "proxy/signals.h"

static void count(struct metrics *m, int status, uint64_t ms_ago, enum error_kind kind, enum hop hop)
{
	struct exchange_info info = {.status = status,
				     .started_us = monotonic_us() - ms_ago * 1000,
				     .attempts = 1,
				     .bytes_up = 3,
				     .bytes_down = 5,
				     .failed = kind != ERR_NONE,
				     .err = {.kind = kind, .hop = hop}};
	metrics_exchange(m, &info);
}

static void expect(const struct metrics *m, const char *line, bool there)
{
	struct buf out;
	buf_init(&out, 1 << 16);
	metrics_render(m, "enclave", &out);
	assert_false(buf_full(&out));
	if ((strstr(buf_text(&out), line) != NULL) != there)
		fail_msg("%s %s", there ? "lacks" : "has", line);
	buf_free(&out);
}

static void test_classes(void **state)
{
	(void)state;
	struct metrics m = {.connections = 7};
	static const int statuses[] = {0, 99, 600, -1, 101, 200, 299, 304, 404, 500, 599};
	for (size_t i = 0; i < countof(statuses); i++)
		count(&m, statuses[i], 0, ERR_NONE, HOP_NONE);
	expect(&m, "nitroproxy_requests_total{role=\"enclave\",code=\"none\"} 4\n", true);
	expect(&m, "nitroproxy_requests_total{role=\"enclave\",code=\"1xx\"} 1\n", true);
	expect(&m, "nitroproxy_requests_total{role=\"enclave\",code=\"2xx\"} 2\n", true);
	expect(&m, "nitroproxy_requests_total{role=\"enclave\",code=\"5xx\"} 2\n", true);
	expect(&m, "nitroproxy_request_bytes_total{role=\"enclave\"} 33\n", true);
	expect(&m, "nitroproxy_response_bytes_total{role=\"enclave\"} 55\n", true);
	expect(&m, "nitroproxy_repeated_total{role=\"enclave\"} 0\n", true);
	expect(&m, "nitroproxy_connections_total{role=\"enclave\"} 7\n", true);
}

static void test_errors(void **state)
{
	(void)state;
	struct metrics m = {.refused = 0};
	expect(&m, "nitroproxy_errors_total{", false);
	count(&m, 502, 0, ERR_REFUSED, HOP_SERVICE);
	count(&m, 502, 0, ERR_REFUSED, HOP_SERVICE);
	count(&m, 502, 0, ERR_REFUSED, HOP_TUNNEL);
	expect(&m, "nitroproxy_errors_total{role=\"enclave\",kind=\"refused\",hop=\"service\"} 2\n", true);
	expect(&m, "nitroproxy_errors_total{role=\"enclave\",kind=\"refused\",hop=\"tunnel\"} 1\n", true);
}

/* Buckets hold all that was faster, too; the last one holds all. */
static void test_latency(void **state)
{
	(void)state;
	struct metrics m = {.refused = 0};
	count(&m, 200, 3, ERR_NONE, HOP_NONE);
	count(&m, 200, 700, ERR_NONE, HOP_NONE);
	count(&m, 200, 3600000, ERR_NONE, HOP_NONE);
	expect(&m, "_bucket{role=\"enclave\",le=\"0.002\"} 0\n", true);
	expect(&m, "_bucket{role=\"enclave\",le=\"0.5\"} 1\n", true);
	expect(&m, "_bucket{role=\"enclave\",le=\"2.5\"} 2\n", true);
	expect(&m, "_bucket{role=\"enclave\",le=\"60\"} 2\n", true);
	expect(&m, "_bucket{role=\"enclave\",le=\"+Inf\"} 3\n", true);
	expect(&m, "_count{role=\"enclave\"} 3\n", true);
}

/* Every kind of error at every hop, as often as can be: it fits, and the host takes it. */
static void test_all_of_it(void **state)
{
	(void)state;
	struct metrics m;
	struct buf out;
	memset(&m, 0xff, sizeof m);
	buf_init(&out, 1 << 16);
	metrics_render(&m, "enclave", &out);
	assert_false(buf_full(&out));
	assert_true(signals_metrics_good(buf_span(&out)));
	assert_non_null(strstr(buf_text(&out), "} 18446744073709551615\n"));
	buf_clear(&out);
	metrics_render(&m, "host", &out);
	assert_false(signals_metrics_good(buf_span(&out)));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_all_of_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

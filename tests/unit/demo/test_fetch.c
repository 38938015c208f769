/* What a client reads out of URLs, bodies of noise, and the proxy's fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "demo/fetch.h"
#include "demo/noise.h"
#include "demo/remedy.h"
#include "proxy/trace.h"
#include "tls/hash.h"

static void test_urls(void **state)
{
	static const struct {
		const char *text, *host, *authority, *path;
		unsigned port;
	} good[] = {{"https://a.test", "a.test", "a.test", "/", 443},
		    {"http://a.test/", "a.test", "a.test", "/", 80},
		    {"https://a.test:8443/x/y?z", "a.test", "a.test:8443", "/x/y?z", 8443},
		    {"https://[::1]:8443/", "::1", "[::1]:8443", "/", 8443},
		    {"https://[::1]", "::1", "[::1]", "/", 443}};
	static const char *const bad[] = {"",
					  "a.test",
					  "ftp://a.test",
					  "https://",
					  "https:///x",
					  "https://a:0/",
					  "https://a:65536/",
					  "https://a:/",
					  "https://a:8x/",
					  "https://[]/"};
	struct url u;
	struct error err;
	(void)state;
	for (size_t i = 0; i < countof(good); i++) {
		assert_true(url_parse(good[i].text, &u, &err));
		assert_string_equal(u.host, good[i].host);
		assert_string_equal(u.authority, good[i].authority);
		assert_string_equal(u.path, good[i].path);
		assert_int_equal(u.port, good[i].port);
	}
	for (size_t i = 0; i < countof(bad); i++)
		if (url_parse(bad[i], &u, &err))
			fail_msg("taken: %s", bad[i]);
	char longest[600] = "https://";
	memset(longest + 8, 'a', 500);
	assert_false(url_parse(longest, &u, &err));
}

/* Whatever pieces it is made in, noise is the same. */
static void test_noise(void **state)
{
	uint8_t whole[1000], pieces[1000], one[32], other[32];
	(void)state;
	noise_fill(5, 0, whole, sizeof whole);
	for (size_t step = 1; step < 30; step++) {
		for (size_t at = 0; at < sizeof pieces; at += step)
			noise_fill(5, at, pieces + at, at + step < sizeof pieces ? step : sizeof pieces - at);
		assert_memory_equal(whole, pieces, sizeof whole);
	}
	noise_sha256(5, sizeof whole, one);
	hash_sha256(&(struct span){(char *)whole, sizeof whole}, 1, other);
	assert_memory_equal(one, other, sizeof one);
	noise_sha256(6, sizeof whole, other);
	assert_memory_not_equal(one, other, sizeof one);
	/* The first word, by hand: splitmix64's published sequence for seed 0. */
	static const uint8_t first[] = {0xaf, 0xcd, 0x1d, 0x7b, 0x39, 0xa8, 0x20, 0xe2};
	noise_fill(0, 0, pieces, sizeof first);
	assert_memory_equal(pieces, first, sizeof first);
}

static void response(struct head *h, int status)
{
	head_init_response(h, status, SPAN("x"));
}

/* What proxy/trace.c writes is what is read here. */
static void test_trace_is_read_back(void **state)
{
	struct trace t = {.tunnel_us = 1300, .tls_us = 5910, .secure = true}, host = {0};
	struct fetch_facts f = {0};
	struct head h;
	(void)state;
	t.tls = (struct tls_info){
		.protocol = "TLSv1.3", .cipher = "TLS1-3-AES-128-GCM-SHA256", .has_certificate = true};
	snprintf(t.tls.subject, sizeof t.tls.subject, "CN=a \"b\\c\", O=x; subject=\"y\"");
	response(&h, 200);
	/* A service that plays the proxy: its times are not taken, and its facts do not get through. */
	head_add(&h, SPAN("Server-Timing"), SPAN("host;dur=1, enclave;dur=1, tls;dur=1, db;dur=7"));
	head_add(&h, SPAN("X-Nitroproxy-TLS"), SPAN("SSLv2; cipher=\"none\"; subject=\"CN=liar\""));
	trace_tell_enclave(&t, &h, 8120, 550);
	trace_tell_host(&host, &h, 8900);
	facts_of_head(&f, &h);
	assert_int_equal(f.host_us, 8900);
	assert_int_equal(f.enclave_us, 8120);
	assert_int_equal(f.tunnel_us, 1300);
	assert_int_equal(f.tls_us, 5910);
	assert_int_equal(f.service_us, 550);
	assert_string_equal(f.tls.protocol, "TLSv1.3");
	assert_string_equal(f.tls.cipher, "TLS1-3-AES-128-GCM-SHA256");
	assert_string_equal(f.tls.subject, "CN=a \"b\\c\", O=x; subject=\"y\"");
	assert_false(f.tls.resumed);
}

static void test_resumed(void **state)
{
	struct trace t = {.secure = true, .tls = {.protocol = "TLSv1.3", .cipher = "X", .resumed = true}};
	struct fetch_facts f = {0};
	struct head h;
	(void)state;
	response(&h, 200);
	head_add(&h, SPAN("Server-Timing"), SPAN("tls;dur=1"));
	trace_tell_enclave(&t, &h, 500, 400);
	facts_of_head(&f, &h);
	assert_true(f.tls.resumed);
	assert_int_equal(f.tunnel_us, 0);
	assert_int_equal(f.tls_us, 0);
	assert_string_equal(f.tls.subject, "");
}

/* A head without room goes without the fields. */
static void test_full_head(void **state)
{
	struct trace t = {.secure = true, .tls = {.protocol = "TLSv1.3", .cipher = "X"}};
	struct head h;
	(void)state;
	response(&h, 200);
	while (head_add(&h, SPAN("a"), SPAN("b")))
		;
	trace_tell_enclave(&t, &h, 500, 400);
	assert_int_equal(h.count, HEAD_MAX_FIELDS);
	assert_null(head_find(&h, "Server-Timing"));
}

static void test_asked(void **state)
{
	struct head h;
	(void)state;
	head_init_request(&h, SPAN("GET"), SPAN("/"));
	assert_false(trace_asked(&h));
	head_add(&h, SPAN("x-nitroproxy-trace"), SPAN("0"));
	assert_false(trace_asked(&h));
	head_remove(&h, "X-Nitroproxy-Trace");
	head_add(&h, SPAN("x-nitroproxy-trace"), SPAN("1"));
	assert_true(trace_asked(&h));
}

static void test_strange_fields(void **state)
{
	static const char *const timings[] = {
		"",	      ";",	     "tls",	     "tls;dur", "tls;dur=",  "tls;dur=x",
		"tls;dur=-1", "tls;dur=nan", "tls;dur=1e99", ";dur=1",	"tlsx;dur=1"};
	(void)state;
	for (size_t i = 0; i < countof(timings); i++) {
		struct fetch_facts f = {0};
		struct head h;
		response(&h, 200);
		head_add(&h, SPAN("Server-Timing"), span_of(timings[i]));
		head_add(&h, SPAN("X-Nitroproxy-TLS"), SPAN("T\x01; cipher=\"\x1b[31m"));
		facts_of_head(&f, &h);
		assert_int_equal(f.tls_us, 0);
		assert_string_equal(f.tls.protocol, "T?");
		assert_string_equal(f.tls.cipher, "?[31m");
	}
}

static void test_problem(void **state)
{
	struct fetch_facts f = {0};
	struct head h;
	(void)state;
	response(&h, 502);
	head_add(&h, SPAN("Content-Type"), SPAN("application/problem+json"));
	facts_of_head(&f, &h);
	assert_true(f.problem_follows);
	facts_of_problem(
		&f,
		SPAN("{\"kind\": \"dns\", \"hop\": \"service\", \"detail\": \"no\\u001b[1m\", \"x\": 1}"));
	assert_string_equal(f.problem.kind, "dns");
	assert_string_equal(f.problem.detail, "no?[1m");
	facts_of_problem(&f, SPAN("{\"kind\": 7"));
	facts_of_problem(&f, SPAN("[]"));
	facts_of_problem(&f, (struct span){"", 0});
	assert_string_equal(f.problem.hop, "service");
}

/* Every failure there can be has an advice, and the one that fits. */
static void test_remedies(void **state)
{
	(void)state;
	for (int kind = 0; kind < ERR_KINDS; kind++)
		for (int hop = 0; hop < HOP_COUNT; hop++)
			assert_true(strlen(remedy_for((enum error_kind)kind, (enum hop)hop)) > 20);
	assert_non_null(strstr(remedy_for(ERR_REFUSED, HOP_CLIENT), "--proxy"));
	assert_non_null(strstr(remedy_for(ERR_REFUSED, HOP_ENCLAVE), "describe-enclaves"));
	assert_non_null(strstr(remedy_for(ERR_REFUSED, HOP_TUNNEL), "nitroproxy tunnel"));
	assert_non_null(strstr(remedy_for(ERR_DENIED, HOP_TUNNEL), "tunnel.allow"));
	assert_non_null(strstr(remedy_for(ERR_DENIED, HOP_ENCLAVE), "policy.allow"));
	assert_non_null(strstr(remedy_for(ERR_ADDRESS_DENIED, HOP_TUNNEL), "tunnel.allow_cidr"));
	assert_non_null(strstr(remedy_for(ERR_TLS_CERTIFICATE, HOP_SERVICE), "tls.ca_file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_trace_is_read_back),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_full_head),
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_strange_fields),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_remedies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "http/parse.h"
#include "http/reply.h"

static void test_whole_answer(void **state)
{
	(void)state;
	struct error err;
	struct buf out;
	buf_init(&out, REPLY_MAX);
	error_set_hop(&err, ERR_TLS_CERTIFICATE, HOP_SERVICE, "the certificate of \"a\" has expired");
	reply_error(&out, &err, "nitroproxy-host");
	assert_string_equal(buf_text(&out),
			    "HTTP/1.1 502 Bad Gateway\r\n"
			    "Content-Type: application/problem+json\r\n"
			    "Content-Length: 147\r\n"
			    "Cache-Control: no-store\r\n"
			    "Proxy-Status: nitroproxy-host; error=tls_certificate_error; "
			    "details=\"service: the certificate of \\\"a\\\" has expired\"\r\n"
			    "Connection: close\r\n"
			    "\r\n"
			    "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,"
			    "\"detail\":\"the certificate of \\\"a\\\" has expired\","
			    "\"kind\":\"tls_certificate\",\"hop\":\"service\"}\n");
	buf_free(&out);
}

/* Every kind there is gives an answer that our own parser takes, with a body as long as it says. */
static void test_every_kind(void **state)
{
	(void)state;
	for (int kind = 1; kind < ERR_KINDS; kind++) {
		struct error err;
		struct buf out;
		struct head h;
		struct head_scan scan = {0};
		struct parse_limits limits = PARSE_LIMITS_MAX;
		/* The worst text: as long as can be, and every byte to be escaped. */
		error_set(&err, (enum error_kind)kind, "x");
		memset(err.text, '"', sizeof err.text - 1);
		err.text[sizeof err.text - 1] = '\0';
		buf_init(&out, REPLY_MAX);
		reply_error(&out, &err, "nitroproxy-enclave");
		assert_int_equal(parse_find_head(&scan, buf_span(&out), HEAD_RESPONSE, &limits, NULL),
				 HEAD_WHOLE);
		assert_true(
			parse_response_head((struct span){out.p, scan.end}, ASKED_OTHER, &limits, &h, &err));
		assert_int_equal(h.status, error_status((enum error_kind)kind));
		assert_true(h.reason.n > 0);
		assert_int_equal(h.body_length, out.n - scan.end);
		assert_false(h.keep_alive);
		assert_int_equal(head_count(&h, "Retry-After"), h.status == 503 || h.status == 429);
		assert_int_equal(head_count(&h, "Proxy-Authenticate"), h.status == 407);
		buf_free(&out);
	}
}

static void test_odd_bytes(void **state)
{
	(void)state;
	struct error err;
	struct reply r;
	error_set(&err, ERR_DENIED, "a\\b\r\nX: c\t\x01\x7f\xe9.");
	reply_init(&r, &err, &(struct reply_options){.agent = "nitroproxy-host"});
	assert_string_equal(r.proxy_status,
			    "nitroproxy-host; error=http_request_denied; details=\"a\\\\b??X: c????.\"");
	assert_non_null(strstr(r.text, "\"detail\":\"a\\\\b??X: c????.\",\"kind\":\"denied\",\"hop\":\"\"}"));
}

static void test_options(void **state)
{
	(void)state;
	struct error err;
	struct reply r;
	error_set_hop(&err, ERR_LIMIT, HOP_HOST, "busy");
	reply_init(&r, &err,
		   &(struct reply_options){.agent = "nitroproxy-host", .head_only = true, .retry_after = 7});
	assert_true(span_is(head_find(&r.head, "Retry-After")->value, SPAN("7")));
	assert_int_equal(r.head.framing, BODY_NONE);
	assert_int_equal(r.body.n, 0);
	assert_true(span_is(head_find(&r.head, "Content-Length")->value, span_of(r.length)));
	assert_string_not_equal(r.length, "0");
	assert_true(r.head.keep_alive);
	assert_null(head_find(&r.head, "Connection"));
	reply_init(&r, &err, &(struct reply_options){.agent = "nitroproxy-host"});
	assert_true(span_is(head_find(&r.head, "Retry-After")->value, SPAN("1")));
	assert_int_equal(r.head.framing, BODY_LENGTH);
	assert_int_equal(r.head.body_length, r.body.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_answer),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_odd_bytes),
		cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

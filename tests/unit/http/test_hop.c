#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/check.h"
#include "http/hop.h"
#include "http/parse.h"
#include "http/write.h"

static struct via via;

/* Reads the fields, cleans them, and gives back what would be written, without the start line. */
static struct buf cleaned(const char *start, const char *fields, struct head *h)
{
	static char text[4096];
	struct parse_limits limits = PARSE_LIMITS_MAX;
	struct error err;
	struct buf out;
	snprintf(text, sizeof text, "%s\r\n%s\r\n", start, fields);
	bool ok = start[0] == 'H' ? parse_response_head(span_of(text), ASKED_OTHER, &limits, h, &err)
				  : parse_request_head(span_of(text), &limits, h, &err);
	if (!ok)
		fail_msg("%s", err.text);
	hop_clean(h, &via);
	buf_init(&out, 8192);
	assert_true(write_head(&out, h, &err));
	const char *line_end = strstr(buf_text(&out), "\r\n");
	buf_drop(&out, (size_t)(line_end + 2 - out.p));
	return out;
}

#define GET "GET /https://a/ HTTP/1.1"
#define VIA "Via: 1.1 nitroproxy-host-00000000000000ab\r\n\r\n"

static void test_fields(void **state)
{
	(void)state;
	static const struct {
		const char *start, *fields, *want;
	} rows[] = {
		/* clang-format off */
		{GET, "Host: a\r\n", "Host: a\r\n" VIA},
		{GET, "Host: a\r\nX-Target-URL: https://b/\r\nProxy-Authorization: Basic x\r\nproxy-connection: close\r\n"
		      "TE: trailers\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nX: y\r\n",
		 "Host: a\r\nX: y\r\n" VIA},
		{GET, "Host: a\r\nConnection: X-One, close ,x-tWO\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n"
		      "Connection: x-three\r\nX-Four: 4\r\n",
		 "Host: a\r\nX-Four: 4\r\n" VIA},
		{GET, "Host: a\r\nConnection: Host, Cookie, Content-Length, authorization, Via, X-Forwarded-For, Expect\r\n"
		      "Cookie: c\r\nContent-Length: 5\r\nAuthorization: z\r\nX-Forwarded-For: 1\r\nVia: 1.1 other\r\n",
		 "Host: a\r\nCookie: c\r\nContent-Length: 5\r\nAuthorization: z\r\nX-Forwarded-For: 1\r\n"
		 "Via: 1.1 other\r\n" VIA},
		{GET, "Host: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n", "Host: a\r\nTrailer: X\r\n" VIA},
		{GET, "Host: a\r\nConnection: keep-alive, Upgrade, X\r\nUpgrade: websocket\r\nX: y\r\nSec-WebSocket-Key: k\r\n",
		 "Host: a\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" VIA},
		{GET, "Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", "Host: a\r\n" VIA},
		{"GET /x HTTP/1.0", "A: \xff\r\nA: b\r\n",
		 "A: \xff\r\nA: b\r\nVia: 1.0 nitroproxy-host-00000000000000ab\r\n\r\n"},
		{"HTTP/1.1 200 OK", "Set-Cookie: a\r\nSet-Cookie: b\r\nProxy-Authenticate: Basic\r\nConnection: close\r\n"
				    "Content-Length: 5\r\nDate: d\r\n",
		 "Set-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\nDate: d\r\n" VIA},
		{"HTTP/1.1 101 Up", "Connection: upgrade\r\nUpgrade: websocket\r\n",
		 "Connection: Upgrade\r\nUpgrade: websocket\r\n" VIA},
		{"HTTP/1.1 204 No", "Content-Length: 5\r\n", VIA},
		{"HTTP/1.1 304 No", "Content-Length: 5\r\n", "Content-Length: 5\r\n" VIA},
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct head h;
		struct buf out = cleaned(rows[i].start, rows[i].fields, &h);
		assert_string_equal(buf_text(&out), rows[i].want);
		buf_free(&out);
	}
}

/* As many fields as a peer may send leave room for ours. */
static void test_full_head(void **state)
{
	(void)state;
	struct head h;
	head_init_request(&h, SPAN("GET"), SPAN("/"));
	for (size_t i = 0; i < HEAD_MAX_FIELDS - HEAD_SPARE_FIELDS; i++)
		assert_true(head_add(&h, SPAN("Connection-X"), SPAN("Upgrade")));
	h.upgrade = true;
	hop_clean(&h, &via);
	assert_int_equal(h.count, HEAD_MAX_FIELDS - HEAD_SPARE_FIELDS + 3);
}

static void test_loop(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool loop;
	} rows[] = {
		{"1.1 nitroproxy-host-00000000000000ab", true},
		{"1.0 first, 1.1 NitroProxy-host-00000000000000AB (x)", true},
		{"1.0 first,HTTP/1.1   nitroproxy-host-00000000000000ab,1.1 last", true},
		{"1.1 nitroproxy-host-00000000000000ac", false},
		{"1.1 nitroproxy-host-00000000000000abc", false},
		{"1.1 other (nitroproxy-host-00000000000000ab)", false},
		{"nitroproxy-host-00000000000000ab", false},
		{"", false},
		{",, ,", false},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct head h;
		struct error err;
		head_init_request(&h, SPAN("GET"), SPAN("/"));
		head_add(&h, SPAN("via"), SPAN("1.1 someone"));
		head_add(&h, SPAN("via"), span_of(rows[i].value));
		bool loop = !hop_check_loop(&h, &via, &err);
		assert_int_equal(loop, rows[i].loop);
		if (loop)
			assert_int_equal(err.kind, ERR_LOOP);
	}
	/* What we write is what we find. */
	struct head h;
	head_init_request(&h, SPAN("GET"), SPAN("/"));
	assert_true(hop_check_loop(&h, &via, NULL));
	hop_clean(&h, &via);
	assert_false(hop_check_loop(&h, &via, NULL));
}

static void test_max_forwards(void **state)
{
	(void)state;
	static const struct {
		const char *method, *value;
		bool ok, answer;
		const char *next;
	} rows[] = {
		{"TRACE", "0", true, true, "0"},
		{"OPTIONS", "00", true, true, "00"},
		{"OPTIONS", "1", true, false, "0"},
		{"TRACE", "10", true, false, "9"},
		{"TRACE", "11", true, false, "10"},
		{"TRACE", "99999999999999999999999999", true, false, "10"},
		{"GET", "0", true, false, "0"},
		{"GET", "x", true, false, "x"},
		{"TRACE", "", false, false, NULL},
		{"TRACE", "-1", false, false, NULL},
		{"TRACE", "1 1", false, false, NULL},
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct head h;
		struct error err;
		bool answer;
		head_init_request(&h, span_of(rows[i].method), SPAN("*"));
		head_add(&h, SPAN("max-forwards"), span_of(rows[i].value));
		assert_int_equal(hop_max_forwards(&h, &answer, &err), rows[i].ok);
		if (!rows[i].ok) {
			assert_int_equal(err.kind, ERR_BAD_REQUEST);
			continue;
		}
		assert_int_equal(answer, rows[i].answer);
		assert_true(span_is(h.fields[0].value, span_of(rows[i].next)));
	}
	struct head h;
	bool answer;
	head_init_request(&h, SPAN("TRACE"), SPAN("*"));
	head_add(&h, SPAN("Max-Forwards"), SPAN("1"));
	head_add(&h, SPAN("Max-Forwards"), SPAN("1"));
	assert_false(hop_max_forwards(&h, &answer, NULL));
}

static int set_up(void **state)
{
	(void)state;
	via_init(&via, "host", 0xab);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_full_head),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_max_forwards),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}

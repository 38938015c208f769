/* Heads: what is taken, what is refused and as what (facts of RFC 9112 and of the smuggling literature). */
#include <stdio.h>

#include "unit/http/read_head.h"

#define WHOLE(text)                                                                                          \
	{                                                                                                    \
		text, sizeof(text) - 1                                                                       \
	}

static void expect(struct span text, enum head_kind kind, enum error_kind want)
{
	struct head h;
	enum error_kind got = read_head(text, kind, ASKED_OTHER, &h);
	if (got != want)
		fail_msg("%s instead of %s for: %.*s", error_kind_name(got), error_kind_name(want),
			 SPAN_ARG(text));
}

struct row {
	struct span text;
	enum error_kind want;
};

static void test_requests(void **state)
{
	(void)state;
	static const struct row rows[] = {
	/* clang-format off */
#define ROW(text, kind) {{text, sizeof(text) - 1}, ERR_##kind}
		ROW(GET "\r\n", NONE),
		ROW("\r\n" GET "\r\n", NONE),
		ROW("get /x HTTP/1.1\r\nHost: a\r\n\r\n", NONE),
		ROW("X-ODD!~ * HTTP/1.1\r\nHost: a\r\n\r\n", NONE),
		ROW("GET / HTTP/1.0\r\n\r\n", NONE),
		ROW("GET /\xc3\xbc HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", NONE),
		ROW(GET "X: \xff\xfe caf\xe9\r\nY:\r\nZ:   \r\n\r\n", NONE),
		ROW(GET "X: a\tb\r\n\r\n", NONE),
		ROW("OPTIONS * HTTP/1.1\r\nHost: a:443\r\n\r\n", NONE),
		ROW("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 0\r\n\r\n", NONE),
		/* the request line */
		ROW("\r\n\r\n" GET "\r\n", BAD_REQUEST),
		ROW("GET /\r\n\r\n", BAD_REQUEST),
		ROW("GET\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/0.9\r\n\r\n", VERSION),
		ROW("GET / HTTP/1.2\r\nHost: a\r\n\r\n", VERSION),
		ROW("GET / HTTP/2.0\r\nHost: a\r\n\r\n", VERSION),
		ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
		ROW("GET / http/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.10\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTPS/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", BAD_REQUEST),
		ROW("\x16\x03\x01\x02\x00\x01", BAD_REQUEST),
		/* line ends */
		ROW("GET / HTTP/1.1\nHost: a\n\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", BAD_REQUEST),
		ROW(GET "X: b\r\n\n", BAD_REQUEST),
		ROW(GET "X: b\rc\r\n\r\n", BAD_REQUEST),
		ROW(GET "X: b\r\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\rHost: a\r\n\r\n", BAD_REQUEST),
		ROW("\n" GET "\r\n", BAD_REQUEST),
		/* fields */
		ROW(GET "X: a\0b\r\n\r\n", BAD_REQUEST),
		ROW(GET "X: a\x0b\r\n\r\n", BAD_REQUEST),
		ROW(GET "X: a\x7f\r\n\r\n", BAD_REQUEST),
		ROW(GET "X : a\r\n\r\n", BAD_REQUEST),
		ROW(GET "X\t: a\r\n\r\n", BAD_REQUEST),
		ROW(GET ": a\r\n\r\n", BAD_REQUEST),
		ROW(GET "X\r\n\r\n", BAD_REQUEST),
		ROW(GET "X Y: a\r\n\r\n", BAD_REQUEST),
		ROW(GET "X(: a\r\n\r\n", BAD_REQUEST),
		ROW(GET "X\xe9: a\r\n\r\n", BAD_REQUEST),
		ROW(GET "X: a\r\n b\r\n\r\n", BAD_REQUEST),
		ROW(GET "X: a\r\n\tb\r\n\r\n", BAD_REQUEST),
		ROW(GET "X:\r\n b\r\n\r\n", BAD_REQUEST),
		ROW(GET "X: a\r\n \r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", BAD_REQUEST),
		/* Host */
		ROW("GET / HTTP/1.1\r\n\r\n", BAD_REQUEST),
		ROW(GET "Host: a\r\n\r\n", BAD_REQUEST),
		ROW(GET "hOST: b\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost:\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: []x\r\n\r\n", BAD_REQUEST),
		ROW("GET / HTTP/1.1\r\nHost: \xc3\xbc\r\n\r\n", BAD_REQUEST),
		/* Expect */
		ROW(GET "Expect: 100-Continue\r\n\r\n", NONE),
		ROW(GET "Expect: 200-ok\r\n\r\n", EXPECT),
		ROW("GET / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n", NONE),
		/* framing */
		ROW(GET "Content-Length: 5\r\n\r\n", NONE),
		ROW(GET "Content-Length: 0\r\n\r\n", NONE),
		ROW(GET "Content-Length: 5  \r\n\r\n", NONE),
		ROW(GET "Content-Length: 9223372036854775807\r\n\r\n", NONE),
		ROW(GET "Transfer-Encoding: chunked\r\n\r\n", NONE),
		ROW(GET "Transfer-Encoding:chUNKed \r\n\r\n", NONE),
		ROW(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 5\r\nX: y\r\ncontent-LENGTH: 6\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 5, 5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 5 5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: +5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: -1\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 0x5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 05\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 5.0\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: \"5\"\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length:\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: \r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length:\t5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 5\t\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length : 5\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 9223372036854775808\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 18446744073709551616\r\n\r\n", BAD_REQUEST),
		ROW(GET "Content-Length: 18446744073709551621\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: identity\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: gzip\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: gzip, chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked, identity\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked, chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked,\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: ,chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked;q=1\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: \"chunked\"\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: 'chunked'\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: xchunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunkedx\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding:\tchunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: \x0b" "chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked\x0b\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked\0\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding:\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding : chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding:\r\n chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_REQUEST),
		ROW(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", BAD_REQUEST),
		ROW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_REQUEST),
		ROW("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 5\r\n\r\n", BAD_REQUEST),
		ROW("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_REQUEST),
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++)
		expect(rows[i].text, HEAD_REQUEST, rows[i].want);
}

static void test_responses(void **state)
{
	(void)state;
	static const struct row rows[] = {
		/* clang-format off */
		ROW(OK "\r\n", NONE),
		ROW("HTTP/1.1 200\r\n\r\n", NONE),
		ROW("HTTP/1.1 200 \r\n\r\n", NONE),
		ROW("HTTP/1.0 999 \xe9tat\r\n\r\n", NONE),
		ROW(OK "Set-Cookie: a\r\nSet-Cookie: b\r\n\r\n", NONE),
		ROW("HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", NONE),
		ROW("\r\n" OK "\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 20 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 2000 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 099 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 +20 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1  200 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 200\tOK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 200 O\rK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 200 O\0K\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.2 200 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/2.0 200 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/0.9 200 OK\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1\r\n\r\n", BAD_RESPONSE),
		ROW("ICY 200 OK\r\n\r\n", BAD_RESPONSE),
		ROW("<html>", BAD_RESPONSE),
		ROW(OK "X: a\r\n b\r\n\r\n", BAD_RESPONSE),
		ROW(OK "X : a\r\n\r\n", BAD_RESPONSE),
		ROW(OK "X: a\n\r\n", BAD_RESPONSE),
		ROW(OK "X: \0\r\n\r\n", BAD_RESPONSE),
		ROW(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", BAD_RESPONSE),
		ROW(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", BAD_RESPONSE),
		ROW(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_RESPONSE),
		ROW(OK "Content-Length: 5, 5\r\n\r\n", BAD_RESPONSE),
		ROW(OK "Transfer-Encoding: gzip\r\n\r\n", BAD_RESPONSE),
		ROW(OK "Transfer-Encoding: gzip, chunked\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 204 No\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_RESPONSE),
		ROW("HTTP/1.1 101 Up\r\nContent-Length: 5\r\n\r\n", BAD_RESPONSE),
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++)
		expect(rows[i].text, HEAD_RESPONSE, rows[i].want);
}

/* A head that comes in a frame of its own has not been through parse_find_head. */
static void test_exactly_one_head(void **state)
{
	(void)state;
	static const struct span rows[] = {
		WHOLE(GET "\r\nX"),
		WHOLE(GET "\r\n\r\n"),
		WHOLE(GET "\r\n" GET "\r\n"),
		WHOLE(GET),
		WHOLE("\r\n" GET "\r\n"),
		WHOLE("GET / HTTP/1.1\nHost: a\r\n\r\n"),
		WHOLE("GET / HTTP/1.1\r\nHost: a\n\r\n"),
		WHOLE("GET / HTTP/1.1\r\nHost: a\r\n\n"),
		WHOLE("GET / HTTP/1.1"),
		WHOLE("\n"),
		WHOLE(""),
	};
	struct parse_limits limits = PARSE_LIMITS_MAX;
	struct head h;
	struct error err;
	assert_true(parse_request_head(SPAN(GET "\r\n"), &limits, &h, &err));
	for (size_t i = 0; i < countof(rows); i++) {
		char *p = exactly(rows[i]);
		assert_false(parse_request_head((struct span){p, rows[i].n}, &limits, &h, &err));
		assert_int_equal(err.kind, ERR_BAD_REQUEST);
		free(p);
	}
}

/* Every byte inside a name and inside a value: good, bad, and nothing else read into either. */
static void test_each_byte(void **state)
{
	(void)state;
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	struct parse_limits limits = PARSE_LIMITS_MAX;
	for (int kind = 0; kind < 2; kind++)
		for (int c = 0; c < 256; c++) {
			char text[80];
			struct head h;
			const char *line = kind == HEAD_REQUEST ? "GET / HTTP/1.1" : "HTTP/1.1 200 OK";
			int at = sprintf(text, "%s\r\nHost: a\r\nX", line);
			int n = at + 1 + sprintf(text + at + 1, "y: v\r\n\r\n");
			text[at] = (char)c;
			bool good = c && strchr(token, c);
			bool whole = step((struct span){text, (size_t)n}, kind, ASKED_OTHER, &limits, &h,
					  NULL) == HEAD_WHOLE;
			if (whole && c == ':') { /* it ends the name early */
				assert_true(h.fields[1].name.n == 1 && h.fields[1].value.n == 4);
				continue;
			}
			if (whole != good)
				fail_msg("a name with byte %d: %s", c, whole ? "taken" : "refused");

			n = at + sprintf(text + at, ": a.b\r\n\r\n");
			text[at + 3] = (char)c;
			good = (c >= ' ' && c != 0x7f) || c == '\t';
			whole = step((struct span){text, (size_t)n}, kind, ASKED_OTHER, &limits, &h, NULL) ==
				HEAD_WHOLE;
			if (whole != good)
				fail_msg("a value with byte %d: %s", c, whole ? "taken" : "refused");
			if (whole)
				assert_true(h.count == 2 && h.fields[1].value.n == 3 && h.fields[1].parsed);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_exactly_one_head),
		cmocka_unit_test(test_each_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Heads: what is taken, what is refused and as what (facts of RFC 9112 and of the smuggling literature). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "http/parse.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define OK  "HTTP/1.1 200 OK\r\n"
#define WHOLE(text)                                                                                          \
	{                                                                                                    \
		text, sizeof(text) - 1                                                                       \
	}

/* In memory of exactly that size, so that the sanitizer sees a byte too far. */
static char *exactly(struct span s)
{
	char *p = malloc(s.n ? s.n : 1);
	memcpy(p, s.p, s.n);
	return p;
}

/* The two steps that a connection takes, over n bytes. */
static enum head_found step(struct span bytes, enum head_kind kind, enum parse_asked asked,
			    const struct parse_limits *limits, struct head *h, struct error *err)
{
	struct head_scan scan = {0};
	enum head_found found = parse_find_head(&scan, bytes, kind, limits, err);
	if (found != HEAD_WHOLE)
		return found;
	struct span head = {bytes.p + scan.start, scan.end - scan.start};
	bool ok = kind == HEAD_REQUEST ? parse_request_head(head, limits, h, err)
				       : parse_response_head(head, asked, limits, h, err);
	return ok ? HEAD_WHOLE : HEAD_BAD;
}

/*
 * Reads text as a head, and every beginning of it, too: a beginning must never be taken
 * for a whole head, and one of a good head never be refused. ERR_NONE: it is good.
 */
static enum error_kind read_head(struct span text, enum head_kind kind, enum parse_asked asked,
				 struct head *h)
{
	struct parse_limits limits = PARSE_LIMITS_MAX;
	struct error err;
	enum head_found whole = step(text, kind, asked, &limits, h, &err);
	struct head scratch;

	assert_int_not_equal(whole, HEAD_MORE);
	for (size_t n = 0; n < text.n; n++) {
		char *p = exactly((struct span){text.p, n});
		enum head_found part = step((struct span){p, n}, kind, asked, &limits, &scratch, NULL);
		free(p);
		assert_int_not_equal(part, HEAD_WHOLE);
		if (whole == HEAD_WHOLE)
			assert_int_equal(part, HEAD_MORE);
	}
	/* Byte by byte with one scan it ends at the same place. */
	struct head_scan scan = {0};
	enum head_found found = HEAD_MORE;
	for (size_t n = 1; n <= text.n && found == HEAD_MORE; n++)
		found = parse_find_head(&scan, (struct span){text.p, n}, kind, &limits, NULL);
	if (whole == HEAD_WHOLE) {
		assert_int_equal(found, HEAD_WHOLE);
		assert_int_equal(scan.end, text.n);
	}
	return whole == HEAD_WHOLE ? ERR_NONE : err.kind;
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

static void test_what_is_read(void **state)
{
	(void)state;
	struct head h;
	assert_int_equal(read_head(SPAN("pATCH /a?b HTTP/1.1\r\nHost: a\r\nX:  1 \r\nx:\t2\r\nEmpty:\r\n"
					"Content-Length: 42\r\nExpect: 100-continue\r\n\r\n"),
				   HEAD_REQUEST, ASKED_OTHER, &h),
			 ERR_NONE);
	assert_true(head_method_is(&h, "pATCH"));
	assert_true(span_is(h.target, SPAN("/a?b")));
	assert_int_equal(h.minor, 1);
	assert_int_equal(h.count, 6);
	assert_true(span_is(h.fields[1].value, SPAN("1")));
	assert_true(span_is(h.fields[2].name, SPAN("x")));
	assert_true(span_is(h.fields[2].value, SPAN("2")));
	assert_int_equal(h.fields[3].value.n, 0);
	assert_int_equal(h.framing, BODY_LENGTH);
	assert_int_equal(h.body_length, 42);
	assert_true(h.expect_continue);
	assert_true(h.keep_alive);

	assert_int_equal(read_head(SPAN("HTTP/1.0 404 Not here\r\n\r\n"), HEAD_RESPONSE, ASKED_OTHER, &h),
			 ERR_NONE);
	assert_int_equal(h.status, 404);
	assert_int_equal(h.minor, 0);
	assert_true(span_is(h.reason, SPAN("Not here")));
}

static void test_response_framing(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		enum parse_asked asked;
		enum body_framing framing;
		bool keep_alive;
	} rows[] = {
	/* clang-format off */
#define R(text, asked, framing, keep) {{text, sizeof(text) - 1}, ASKED_##asked, BODY_##framing, keep}
		R(OK "Content-Length: 5\r\n\r\n", OTHER, LENGTH, true),
		R(OK "Content-Length: 0\r\n\r\n", OTHER, NONE, true),
		R(OK "Transfer-Encoding: chunked\r\n\r\n", OTHER, CHUNKED, true),
		R(OK "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", OTHER, CHUNKED, false),
		R(OK "\r\n", OTHER, CLOSE, false),
		R(OK "Connection: keep-alive\r\n\r\n", OTHER, CLOSE, false),
		R("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", OTHER, LENGTH, false),
		R("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n", OTHER, LENGTH, true),
		R(OK "Content-Length: 5\r\n\r\n", HEAD, NONE, true),
		R(OK "Transfer-Encoding: chunked\r\n\r\n", HEAD, NONE, true),
		R("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", OTHER, NONE, true),
		R("HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", OTHER, NONE, true),
		R("HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", OTHER, NONE, true),
		R("HTTP/1.1 101 Up\r\n\r\n", OTHER, RAW, false),
		R(OK "\r\n", CONNECT, RAW, false),
		R(OK "Content-Length: 5\r\n\r\n", CONNECT, RAW, false),
		R("HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", CONNECT, LENGTH, true),
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct head h;
		assert_int_equal(read_head(rows[i].text, HEAD_RESPONSE, rows[i].asked, &h), ERR_NONE);
		if (h.framing != rows[i].framing || h.keep_alive != rows[i].keep_alive)
			fail_msg("framing %d, keep_alive %d for: %s", h.framing, h.keep_alive,
				 rows[i].text.p);
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

static void test_upgrades(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		bool upgrade;
	} rows[] = {
	/* clang-format off */
#define U(text, upgrade) {{text, sizeof(text) - 1}, upgrade}
		U(GET "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n", true),
		U(GET "Connection: upgrade\r\nUpgrade: foo/2\r\n\r\n", true),
		U(GET "Upgrade: websocket\r\n\r\n", false),
		U(GET "Connection: upgrade\r\n\r\n", false),
		U(GET "Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", false),
		U(GET "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n\r\n", false),
		U(GET "Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n\r\n", false),
		U(GET "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n", false),
		U(GET "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n", false),
		U(GET "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n", false),
		U("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false),
		/* clang-format on */
	};
	for (size_t i = 0; i < countof(rows); i++) {
		struct head h;
		assert_int_equal(read_head(rows[i].text, HEAD_REQUEST, ASKED_OTHER, &h), ERR_NONE);
		if (h.upgrade != rows[i].upgrade)
			fail_msg("upgrade %d for: %s", h.upgrade, rows[i].text.p);
	}
}

/* A head of `fields` fields and a target of `target` bytes. */
static struct span made(char *p, size_t fields, size_t target, size_t value)
{
	size_t n = 0;
	n += (size_t)sprintf(p + n, "GET /");
	memset(p + n, 'a', target - 1);
	n += target - 1;
	n += (size_t)sprintf(p + n, " HTTP/1.1\r\nHost: a\r\n");
	for (size_t i = 1; i < fields; i++)
		n += (size_t)sprintf(p + n, "X: %0*d\r\n", (int)value, 0);
	n += (size_t)sprintf(p + n, "\r\n");
	return (struct span){p, n};
}

static enum error_kind limited(struct span text, struct parse_limits limits)
{
	struct head h;
	struct error err;
	enum head_found found = step(text, HEAD_REQUEST, ASKED_OTHER, &limits, &h, &err);
	return found == HEAD_WHOLE ? ERR_NONE : found == HEAD_MORE ? ERR_CANCELLED : err.kind;
}

static void test_limits(void **state)
{
	(void)state;
	static char p[200000];
	struct parse_limits max = PARSE_LIMITS_MAX, few = {1000, 10, 100}, wild = {1 << 20, 1 << 20, 1 << 20};

	assert_int_equal(limited(made(p, 10, 100, 1), few), ERR_NONE);
	assert_int_equal(limited(made(p, 11, 100, 1), few), ERR_HEAD_SIZE);
	assert_int_equal(limited(made(p, 10, 101, 1), few), ERR_URL_SIZE);
	assert_int_equal(limited(made(p, 10, 100, 100), few), ERR_HEAD_SIZE);
	assert_int_equal(limited(made(p, 10, 5000, 100), few), ERR_URL_SIZE);
	/* Settings cannot raise them beyond what a head holds. */
	size_t most = HEAD_MAX_FIELDS - HEAD_SPARE_FIELDS;
	assert_int_equal(limited(made(p, most, 1, 1), wild), ERR_NONE);
	assert_int_equal(limited(made(p, most + 1, 1, 1), wild), ERR_HEAD_SIZE);
	assert_int_equal(limited(made(p, 2, 1, HEAD_MAX_BYTES), wild), ERR_HEAD_SIZE);
	/* Told before the end is there. */
	struct span text = made(p, 2, 100000, 1);
	text.n = HEAD_MAX_BYTES + 100;
	assert_int_equal(limited(text, wild), ERR_URL_SIZE);
	text.n = 50;
	assert_int_equal(limited(text, few), ERR_CANCELLED);
	text.n = 200;
	assert_int_equal(limited(text, few), ERR_URL_SIZE);
	text = made(p, 2, 10, 100000);
	text.n = 1001;
	assert_int_equal(limited(text, few), ERR_HEAD_SIZE);
	assert_int_equal(limited(made(p, 2, 10, 1), max), ERR_NONE);
	/* What answers may be long is told as theirs. */
	struct error err;
	struct head h;
	memset(p, 'x', 2000);
	memcpy(p, OK, sizeof OK - 1);
	assert_int_equal(step((struct span){p, 2000}, HEAD_RESPONSE, ASKED_OTHER, &few, &h, &err), HEAD_BAD);
	assert_int_equal(err.kind, ERR_RESPONSE_HEAD_SIZE);
}

static void test_trailers(void **state)
{
	(void)state;
	static const struct {
		struct span text;
		int kept; /* -1: refused */
	} rows[] = {
	/* clang-format off */
#define T(text, kept) {{text, sizeof(text) - 1}, kept}
		T("\r\n", 0),
		T("X: 1\r\nX: 2\r\n\r\n", 2),
		T("X: 1\r\nAuthorization: a\r\nset-cookie: b\r\nConnection: close\r\n\r\n", 1),
		T("Content-Length: 5\r\n\r\n", -1),
		T("X: 1\r\ntransfer-encoding: chunked\r\n\r\n", -1),
		T("Host: a\r\n\r\n", -1),
		T("X : 1\r\n\r\n", -1),
		T("X: 1\r\n 2\r\n\r\n", -1),
		T("X: 1\n\r\n", -1),
		T("X: 1\r\n", -1),
		/* clang-format on */
	};
	struct parse_limits limits = PARSE_LIMITS_MAX;
	for (size_t i = 0; i < countof(rows); i++) {
		struct head h;
		struct error err;
		bool ok = parse_trailers(rows[i].text, HEAD_RESPONSE, &limits, &h, &err);
		if ((ok ? (int)h.count : -1) != rows[i].kept)
			fail_msg("trailers: %s", rows[i].text.p);
		if (!ok)
			assert_int_equal(err.kind, ERR_BAD_RESPONSE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),	 cmocka_unit_test(test_responses),
		cmocka_unit_test(test_what_is_read),	 cmocka_unit_test(test_exactly_one_head),
		cmocka_unit_test(test_response_framing), cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_upgrades),	 cmocka_unit_test(test_limits),
		cmocka_unit_test(test_trailers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

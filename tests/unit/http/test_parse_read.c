/* Good heads: what is read from them, how their bodies are framed, how long they may be; and trailers. */
#include <stdio.h>

#include "unit/http/read_head.h"

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
		cmocka_unit_test(test_what_is_read), cmocka_unit_test(test_response_framing),
		cmocka_unit_test(test_upgrades),     cmocka_unit_test(test_limits),
		cmocka_unit_test(test_trailers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

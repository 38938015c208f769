#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/check.h"
#include "proxy/tunnel_message.h"

static struct block_pool pool;

static int set_up(void **state)
{
	(void)state;
	block_pool_init(&pool, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(pool.used, 0);
	block_pool_free(&pool);
	return 0;
}

/* length, JSON and what follows it, into out */
static struct span frame(struct buf *out, const char *json, const char *behind)
{
	buf_clear(out);
	buf_u32(out, (uint32_t)strlen(json));
	buf_add_text(out, json);
	buf_add_text(out, behind);
	return buf_span(out);
}

/* Feeds the bytes `piece` at a time, and leaves in *behind what was not taken of the last piece. */
static enum tunnel_request_result request(struct tunnel_request *r, struct span bytes, size_t piece,
					  size_t *behind, struct error *err)
{
	enum tunnel_request_result result = TUNNEL_REQUEST_MORE;
	tunnel_request_init(r);
	*behind = 0;
	while (bytes.n && result == TUNNEL_REQUEST_MORE) {
		struct block *b = block_get(&pool);
		size_t n = bytes.n < piece ? bytes.n : piece;
		memcpy(b->data, bytes.p, n);
		b->len = n;
		bytes = span_from(bytes, n);
		result = tunnel_request_feed(r, b, err);
		assert_true(result != TUNNEL_REQUEST_MORE || b->len == 0);
		*behind = b->len;
		block_put(b);
	}
	return result;
}

static enum tunnel_answer_result answer(struct tunnel_answer *a, struct span bytes, size_t piece,
					struct error *err)
{
	enum tunnel_answer_result result = TUNNEL_ANSWER_MORE;
	tunnel_answer_init(a);
	while (bytes.n && result == TUNNEL_ANSWER_MORE) {
		struct block *b = block_get(&pool);
		size_t n = bytes.n < piece ? bytes.n : piece;
		memcpy(b->data, bytes.p, n);
		b->len = n;
		bytes = span_from(bytes, n);
		result = tunnel_answer_feed(a, b, err);
		block_put(b);
	}
	return result;
}

static void requests_that_are_taken(void **state)
{
	static const struct {
		const char *json, *host;
		unsigned port;
		uint64_t id;
	} rows[] = {
		{"{\"host\":\"Example.ORG.\",\"port\":443}", "example.org", 443, 0},
		{" {\n\"port\" : 1, \"host\" : \"a\" }\r\n", "a", 1, 0},
		{"{\"type\":\"connect\",\"host\":\"192.0.2.7\",\"port\":65535}", "192.0.2.7", 65535, 0},
		{"{\"host\":\"::1\",\"port\":80,\"id\":\"00000000deadbeef\"}", "::1", 80, 0xdeadbeef},
		{"{\"host\":\"[2001:DB8::1]\",\"port\":80,\"new\":{\"port\":[1]}}", "2001:db8::1", 80, 0},
		{"{\"host\":\"\\u0061.example\",\"port\":80}", "a.example", 80, 0},
	};
	(void)state;
	struct buf bytes;
	buf_init(&bytes, 8192);
	for (size_t i = 0; i < countof(rows); i++) {
		struct span whole = frame(&bytes, rows[i].json, "behind");
		for (size_t piece = 1; piece <= whole.n; piece++) {
			struct tunnel_request r;
			struct error err;
			size_t behind;
			if (request(&r, whole, piece, &behind, &err) != TUNNEL_REQUEST_CONNECT)
				fail_msg("%s in pieces of %zu: %s", rows[i].json, piece, err.text);
			assert_string_equal(r.host, rows[i].host);
			assert_int_equal(r.port, rows[i].port);
			assert_true(r.id == rows[i].id);
			size_t taken = whole.n - strlen("behind"), last = (taken + piece - 1) / piece * piece;
			assert_int_equal(behind, (last < whole.n ? last : whole.n) - taken);
			tunnel_request_free(&r);
		}
	}
	buf_free(&bytes);
}

static void requests_that_are_refused(void **state)
{
	static const struct {
		const char *json;
		enum error_kind kind;
	} rows[] = {
		{"", ERR_PROTOCOL},
		{" ", ERR_PROTOCOL},
		{"{", ERR_PROTOCOL},
		{"[]", ERR_PROTOCOL},
		{"null", ERR_PROTOCOL},
		{"{}", ERR_PROTOCOL},
		{"{}{}", ERR_PROTOCOL},
		{"{\"host\":\"a\"}", ERR_PROTOCOL},
		{"{\"port\":1}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":0}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":65536}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":-1}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":4294967297}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":18446744073709551617}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":80.0}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":\"80\"}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":true}", ERR_PROTOCOL},
		{"{\"host\":1,\"port\":80}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":80,\"port\":81}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"host\":\"b\",\"port\":80}", ERR_PROTOCOL},
		{"{\"type\":\"bind\",\"host\":\"a\",\"port\":80}", ERR_PROTOCOL},
		{"{\"type\":1,\"host\":\"a\",\"port\":80}", ERR_PROTOCOL},
		{"{\"type\":null,\"host\":\"a\",\"port\":80}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":80,\"id\":1}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":80,\"id\":\"00000000DEADBEEF\"}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":80,\"id\":\"0000000deadbeef\"}", ERR_PROTOCOL},
		{"{\"host\":\"a\",\"port\":80,\"id\":\"+000000deadbeef0\"}", ERR_PROTOCOL},
		{"{\"host\":\"\",\"port\":80}", ERR_BAD_REQUEST},
		{"{\"host\":\"a b\",\"port\":80}", ERR_BAD_REQUEST},
		{"{\"host\":\"a:80\",\"port\":80}", ERR_BAD_REQUEST},
		{"{\"host\":\"a\\n\",\"port\":80}", ERR_BAD_REQUEST},
		{"{\"host\":\"a\\u0000b\",\"port\":80}", ERR_PROTOCOL},
		{"{\"host\":\"\xff\",\"port\":80}", ERR_PROTOCOL},
		{"{\"host\":\"127.1\",\"port\":80}", ERR_ADDRESS_DENIED},
		{"{\"host\":\"::ffff:127.0.0.1\",\"port\":80}", ERR_ADDRESS_DENIED},
	};
	(void)state;
	struct buf bytes;
	buf_init(&bytes, 8192);
	for (size_t i = 0; i < countof(rows); i++) {
		struct span whole = frame(&bytes, rows[i].json, "");
		for (size_t piece = 1; piece <= whole.n; piece += whole.n - 1) {
			struct tunnel_request r;
			struct error err;
			size_t behind;
			if (request(&r, whole, piece, &behind, &err) != TUNNEL_REQUEST_BAD)
				fail_msg("%s was taken", rows[i].json);
			if (err.kind != rows[i].kind)
				fail_msg("%s: %s: %s", rows[i].json, error_kind_name(err.kind), err.text);
			tunnel_request_free(&r);
		}
	}
	buf_free(&bytes);
}

/* 4096 bytes are taken, one more is refused as soon as the length is known. */
static void lengths(void **state)
{
	(void)state;
	struct buf bytes;
	struct tunnel_request r;
	struct error err;
	size_t behind;
	buf_init(&bytes, 8192);
	buf_u32(&bytes, TUNNEL_MESSAGE_MAX);
	buf_add_text(&bytes, "{\"host\":\"a\",\"port\":80}");
	while (bytes.n < TUNNEL_HEADER + TUNNEL_MESSAGE_MAX)
		buf_add_text(&bytes, " ");
	assert_int_equal(request(&r, buf_span(&bytes), 1000, &behind, &err), TUNNEL_REQUEST_CONNECT);
	tunnel_request_free(&r);
	for (size_t i = 0; i < 3; i++) {
		static const uint32_t bad[] = {0, TUNNEL_MESSAGE_MAX + 1, UINT32_MAX};
		buf_clear(&bytes);
		buf_u32(&bytes, bad[i]);
		assert_int_equal(request(&r, buf_span(&bytes), 1, &behind, &err), TUNNEL_REQUEST_BAD);
		assert_int_equal(err.kind, ERR_PROTOCOL);
		tunnel_request_free(&r);
	}
	/* Somebody speaks HTTP to it, and is told what it is. */
	assert_int_equal(request(&r, SPAN("GET / HTTP/1.1\r\n"), 99, &behind, &err), TUNNEL_REQUEST_BAD);
	assert_non_null(strstr(err.text, "{\"host\":\"example.org\",\"port\":443}"));
	tunnel_request_free(&r);
	buf_free(&bytes);
}

static void what_one_writes_the_other_reads(void **state)
{
	(void)state;
	struct buf bytes;
	struct tunnel_request r;
	struct error err;
	size_t behind;
	buf_init(&bytes, 8192);
	assert_true(tunnel_request_write(&bytes, "2001:db8::1", 8443, 0x0123456789abcdef, "vsock"));
	assert_int_equal(request(&r, buf_span(&bytes), 3, &behind, &err), TUNNEL_REQUEST_CONNECT);
	assert_string_equal(r.host, "2001:db8::1");
	assert_int_equal(r.host_type, HOSTNAME_IPV6);
	assert_true(r.id == 0x0123456789abcdef);
	assert_string_equal(r.transport, "vsock");
	tunnel_request_free(&r);
	buf_clear(&bytes);
	assert_true(tunnel_request_write(&bytes, "a.example", 1, 0, NULL));
	assert_int_equal(request(&r, buf_span(&bytes), 99, &behind, &err), TUNNEL_REQUEST_CONNECT);
	assert_true(r.id == 0 && *r.transport == '\0');
	tunnel_request_free(&r);
	buf_clear(&bytes);
	assert_true(tunnel_ping_write(&bytes));
	assert_int_equal(request(&r, buf_span(&bytes), 99, &behind, &err), TUNNEL_REQUEST_PING);
	tunnel_request_free(&r);
	buf_free(&bytes);

	struct tunnel_answer a;
	buf_init(&bytes, 8192);
	assert_true(tunnel_connected_write(&bytes, NULL));
	assert_int_equal(answer(&a, buf_span(&bytes), 99, &err), TUNNEL_ANSWER_OK);
	assert_string_equal(a.transport, "");
	tunnel_answer_free(&a);
	buf_clear(&bytes);
	assert_true(tunnel_connected_write(&bytes, "unix"));
	for (size_t piece = 1; piece <= bytes.n; piece++) {
		assert_int_equal(answer(&a, buf_span(&bytes), piece, &err), TUNNEL_ANSWER_OK);
		assert_string_equal(a.transport, "unix");
		tunnel_answer_free(&a);
	}
	buf_clear(&bytes);
	assert_true(tunnel_status_write(&bytes, SPAN("{\"status\":\"ok\",\"open\":1}")));
	assert_int_equal(answer(&a, buf_span(&bytes), 5, &err), TUNNEL_ANSWER_OK);
	assert_true(span_is(tunnel_answer_text(&a), SPAN("{\"status\":\"ok\",\"open\":1}")));
	tunnel_answer_free(&a);

	struct error sent;
	error_set_hop(&sent, ERR_REFUSED, HOP_SERVICE, "a \"quoted\" \\ text");
	buf_clear(&bytes);
	assert_true(tunnel_error_write(&bytes, &sent));
	assert_int_equal(bytes.p[bytes.n - 1], '\n');
	for (size_t piece = 1; piece <= bytes.n; piece++) {
		assert_int_equal(answer(&a, buf_span(&bytes), piece, &err), TUNNEL_ANSWER_BAD);
		assert_int_equal(err.kind, ERR_REFUSED);
		assert_int_equal(err.hop, HOP_SERVICE);
		assert_string_equal(err.text, sent.text);
		tunnel_answer_free(&a);
	}
	/* The longest and worst text there can be. */
	memset(sent.text, 1, sizeof sent.text - 1);
	buf_clear(&bytes);
	assert_true(tunnel_error_write(&bytes, &sent));
	assert_int_equal(answer(&a, buf_span(&bytes), 999, &err), TUNNEL_ANSWER_BAD);
	assert_int_equal(err.kind, ERR_REFUSED);
	tunnel_answer_free(&a);
	buf_free(&bytes);
}

/* The host runs the tunnel: nothing it says becomes more than an error that a tunnel can have. */
static void answers_of_a_hostile_tunnel(void **state)
{
	static const struct {
		const char *json;
		enum error_kind kind;
		enum hop hop;
		const char *text; /* NULL: any */
	} rows[] = {
		{"{}", ERR_PROTOCOL, HOP_TUNNEL, NULL},
		{"[]", ERR_PROTOCOL, HOP_TUNNEL, NULL},
		{"{\"status\":1}", ERR_PROTOCOL, HOP_TUNNEL, NULL},
		{"{\"status\":\"connected\",\"transport\":1}", ERR_PROTOCOL, HOP_TUNNEL, NULL},
		{"{\"status\":\"connected\",\"status\":\"error\"}", ERR_PROTOCOL, HOP_TUNNEL, NULL},
		{"{\"status\":\"error\"}", ERR_PROTOCOL, HOP_TUNNEL, "the tunnel gave no reason"},
		{"{\"status\":\"error\",\"kind\":\"auth\",\"message\":\"m\"}", ERR_PROTOCOL, HOP_TUNNEL, "m"},
		{"{\"status\":\"error\",\"kind\":\"tls_certificate\"}", ERR_PROTOCOL, HOP_TUNNEL, NULL},
		{"{\"status\":\"error\",\"kind\":7,\"message\":7,\"hop\":7}", ERR_PROTOCOL, HOP_TUNNEL, NULL},
		{"{\"status\":\"error\",\"kind\":\"dns\",\"hop\":\"enclave\"}", ERR_DNS, HOP_TUNNEL, NULL},
		{"{\"status\":\"error\",\"kind\":\"dns\",\"hop\":\"service\",\"message\":\"a\\r\\nb\\u001b["
		 "0m\\u00e4\"}",
		 ERR_DNS, HOP_SERVICE, "a??b?[0m??"},
	};
	(void)state;
	struct buf bytes;
	buf_init(&bytes, 8192);
	for (size_t i = 0; i < countof(rows); i++) {
		struct tunnel_answer a;
		struct error err;
		if (answer(&a, frame(&bytes, rows[i].json, ""), 7, &err) != TUNNEL_ANSWER_BAD)
			fail_msg("%s was taken", rows[i].json);
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(err.hop, rows[i].hop);
		if (rows[i].text)
			assert_string_equal(err.text, rows[i].text);
		tunnel_answer_free(&a);
	}
	buf_free(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_that_are_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(requests_that_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lengths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_one_writes_the_other_reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answers_of_a_hostile_tunnel, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

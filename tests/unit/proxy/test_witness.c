/*
 * What a witness makes of an exchange, over whole connections in memory: as the client gets it, behind host
 * and enclave or without them. How it looks through the real roles: tests/integration/test_receipts.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nsm/receipt.h"
#include "proxy/base64.h"
#include "support/bench.h"
#include "support/until.h"

static struct witness_key *key;

#define EVERYWHERE(name) BENCH_TEST(name, key)
#define FIELD		 WITNESS_FIELD ": :"

/* The one receipt in what the client has heard, verified; out holds its bytes. */
static void receipt_of(const struct wire *c, char out[RECEIPT_MAX], struct receipt *said)
{
	struct receipt_read read;
	struct refusal why;
	uint8_t claimed[SHA256_SIZE];
	size_t n;
	assert_int_equal(wire_count(c, FIELD), 1);
	const char *at = memmem(c->heard.p, c->heard.n, FIELD, sizeof FIELD - 1);
	struct span rest = span_from(buf_span(&c->heard), (size_t)(at - c->heard.p) + sizeof FIELD - 1), text;
	assert_true(span_cut(&rest, ':', &text));
	assert_true(base64_decode(text, out, RECEIPT_MAX, &n));
	witness_key_sha256(key, claimed);
	if (!receipt_parse((struct span){out, n}, &read, &why) || !receipt_verify(&read, claimed, &why))
		fail_msg("%s", why.text);
	*said = read.said;
}

static void expect_digest(const uint8_t digest[SHA256_SIZE], const char *of)
{
	uint8_t expected[SHA256_SIZE];
	digest_sha256(span_of(of), expected);
	assert_memory_equal(digest, expected, SHA256_SIZE);
}

EVERYWHERE(with_a_body)
{
	struct wire c;
	struct receipt said;
	char bytes[RECEIPT_MAX];
	bench_client(b, &c);
	wire_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde");
	wire_say(bench_service(b, 0, "abcde"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, "\r\n0\r\n" FIELD) && b->enclave.done == 1);
	UNTIL(b->loop, wire_heard(&c, ":\r\n\r\n"));
	assert_true(wire_heard(&c, "Trailer: " WITNESS_FIELD "\r\n"));
	assert_false(wire_heard(&c, "Content-Length"));
	receipt_of(&c, bytes, &said);
	assert_true(span_is(said.target, SPAN("http://bench.test")) && span_is(said.method, SPAN("POST")));
	assert_int_equal(said.status, 200);
	expect_digest(said.path, "/a");
	expect_digest(said.request, "abcde");
	expect_digest(said.response, "hello");
	wire_free(&c);
}

/*
 * The head, with nothing behind it, must be whole before the receipt is in it; and the connections live on.
 */
EVERYWHERE(without_a_body)
{
	static const char *const answers[] = {"HTTP/1.1 204 Fine\r\n\r\n",
					      "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n",
					      "HTTP/1.1 304 Fine\r\nContent-Length: 5\r\n\r\n"};
	struct wire c;
	struct receipt said;
	char bytes[RECEIPT_MAX];
	bench_client(b, &c);
	for (unsigned i = 0; i < countof(answers); i++) {
		wire_say(&c, BENCH_GET);
		wire_say(bench_service(b, 0, "\r\n\r\n"), answers[i]);
		UNTIL(b->loop,
		      wire_heard(&c, FIELD) && wire_heard(&c, "\r\n\r\n") && b->enclave.done == i + 1);
		assert_true(wire_heard(&c, " Fine\r\n") && !wire_heard(&c, "Trailer:"));
		receipt_of(&c, bytes, &said);
		expect_digest(said.response, "");
		wire_forget(&b->service[0]);
		wire_forget(&c);
	}
	assert_int_equal(b->services, 1);
	wire_free(&c);
}

/* A request that is repeated on a fresh connection has one body, though it went out twice. */
EVERYWHERE(repeated)
{
	struct wire c;
	struct receipt said;
	char bytes[RECEIPT_MAX];
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, ":\r\n\r\n") && b->enclave.done == 1);
	wire_forget(&c);
	wire_forget(&b->service[0]);
	wire_say(&c, "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb");
	wire_end(bench_service(b, 0, "PUT /a"));
	wire_say(bench_service(b, 1, "\r\n\r\nb"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, ":\r\n\r\n"));
	receipt_of(&c, bytes, &said);
	assert_true(said.has_request);
	expect_digest(said.request, "b");
	wire_free(&c);
}

/* The service does not wait for the rest of the request. */
EVERYWHERE(answered_early)
{
	struct wire c;
	struct receipt said;
	char bytes[RECEIPT_MAX];
	bench_client(b, &c);
	wire_say(&c, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabcde");
	wire_say(bench_service(b, 0, "abcde"), BENCH_HELLO);
	UNTIL(b->loop, wire_heard(&c, ":\r\n\r\n"));
	receipt_of(&c, bytes, &said);
	assert_false(said.has_request);
	expect_digest(said.response, "hello");
	wire_free(&c);
}

EVERYWHERE(trailers)
{
	struct wire c;
	struct receipt said;
	char bytes[RECEIPT_MAX];
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"),
		 "HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n"
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" WITNESS_FIELD
		 ": :AA==:\r\nX-Sum: 1\r\n\r\n");
	UNTIL(b->loop, wire_heard(&c, ":\r\n\r\n") && b->enclave.done == 1);
	assert_true(wire_heard(&c, "0\r\nX-Sum: 1\r\n" FIELD));
	receipt_of(&c, bytes, &said);
	expect_digest(said.response, "abc");
	wire_free(&c);
}

EVERYWHERE(cut)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	struct wire *s = bench_service(b, 0, "\r\n\r\n");
	wire_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
	wire_end(s);
	UNTIL(b->loop, c.heard_end && b->enclave.done == 1);
	assert_false(wire_heard(&c, FIELD));
	wire_free(&c);
}

EVERYWHERE(connect)
{
	struct wire c;
	bench_client(b, &c);
	wire_say(&c, "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
	UNTIL(b->loop, b->services == 1 && wire_heard(&c, "\r\n\r\n"));
	wire_say(&b->service[0], "raw");
	UNTIL(b->loop, wire_heard(&c, "\r\n\r\nraw"));
	assert_false(wire_heard(&c, WITNESS_FIELD));
	wire_free(&c);
}

/* The client goes, or the process ends, while the receipt is being signed: nothing is left, nothing is freed
 * twice. */
static void gone_while_signing(struct bench *b, bool client)
{
	struct wire c;
	uint64_t before = witness_key_signed(key);
	bench_client(b, &c);
	wire_say(&c, BENCH_GET);
	wire_say(bench_service(b, 0, "\r\n\r\n"), BENCH_HELLO);
	/* The body has gone out: the end is read right behind it. */
	UNTIL(b->loop, wire_heard(&c, "o\r\n") || witness_key_signed(key) > before);
	if (client) {
		wire_close(&c);
		UNTIL(b->loop, b->enclave.done == 1);
	}
	wire_free(&c); /* else it is the test's end that abandons the exchange */
}

EVERYWHERE(client_gone)
{
	gone_while_signing(b, true);
}

EVERYWHERE(abandoned)
{
	gone_while_signing(b, false);
}

static void test_asked(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool asked;
	} cases[] = {{"1", true}, {"", false}, {"0", false}, {"11", false}, {"yes", false}};
	for (size_t i = 0; i < countof(cases); i++) {
		struct head h;
		head_init_request(&h, SPAN("GET"), SPAN("/"));
		head_add(&h, SPAN("A"), SPAN("1"));
		head_add(&h, SPAN("x-nitroproxy-want-receipt"), span_of(cases[i].value));
		assert_int_equal(witness_asked(&h), cases[i].asked);
		assert_int_equal(h.count, 1);
		assert_false(witness_asked(&h));
	}
}

static void test_not_for(void **state)
{
	(void)state;
	struct head h;
	struct target url = {.kind = TARGET_URL, .host = "a", .port = 80, .path = SPAN("/")},
		      tunnel = {.kind = TARGET_TUNNEL, .host = "a", .port = 80};
	head_init_request(&h, SPAN("0123456789012345678901234567890123456789"), SPAN("/"));
	assert_null(witness_new(NULL, key, &h, &url));
	head_init_request(&h, SPAN("CONNECT"), SPAN("a:80"));
	assert_null(witness_new(NULL, key, &h, &tunnel));
	witness_free(NULL);
}

static int make_key(void **state)
{
	struct error err;
	(void)state;
	key = witness_key_new(&err);
	return key ? 0 : 1;
}

static int drop_key(void **state)
{
	(void)state;
	witness_key_free(key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_a_body), cmocka_unit_test(test_without_a_body),
		cmocka_unit_test(test_repeated),    cmocka_unit_test(test_answered_early),
		cmocka_unit_test(test_trailers),    cmocka_unit_test(test_cut),
		cmocka_unit_test(test_connect),	    cmocka_unit_test(test_client_gone),
		cmocka_unit_test(test_abandoned),   cmocka_unit_test(test_asked),
		cmocka_unit_test(test_not_for),
	};
	return cmocka_run_group_tests(tests, make_key, drop_key);
}

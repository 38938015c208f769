/* The origin's answers over a connection in memory: what can be asked, bodies both ways, back-pressure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "demo/hex.h"
#include "demo/noise.h"
#include "demo/origin_answer.h"
#include "demo/origin_document.h"
#include "http/server_conn.h"
#include "support/mem_stream.h"
#include "support/until.h"
#include "support/wire.h"
#include "tls/hash.h"

#define AUTHORITY "127.0.0.1:4433"

struct world {
	struct loop *loop;
	struct server_conn_config conns;
	struct list answers;
	struct stream *inner; /* the client's, for mem_sent and the like */
	struct stream *server;
	struct wire client;
};

static void on_request(void *owner, struct server_conn *c, struct leg *leg, struct part *part)
{
	struct world *w = owner;
	(void)c;
	answer_start(w->loop, &w->answers, AUTHORITY, leg, part);
}

static void on_refused(void *owner, struct server_conn *c, const struct error *err)
{
	(void)owner, (void)c, (void)err;
}

static void on_closed(void *owner, struct server_conn *c)
{
	(void)owner, (void)c;
}

static void begin(struct world *w, size_t capacity)
{
	struct stream *client;
	memset(w, 0, sizeof *w);
	w->loop = loop_new();
	list_init(&w->answers);
	w->conns = (struct server_conn_config){.limits = PARSE_LIMITS_MAX,
					       .header_ms = 10000,
					       .idle_ms = 10000,
					       .agent = "test",
					       .on_request = on_request,
					       .on_refused = on_refused,
					       .on_closed = on_closed,
					       .owner = w};
	list_init(&w->conns.conns);
	mem_pair(w->loop, capacity, &client, &w->server);
	w->inner = client;
	server_conn_start(w->server, &w->conns);
	wire_start(&w->client, client, 4096);
}

static void end(struct world *w)
{
	answer_cut_all(&w->answers);
	server_conn_close_all(&w->conns);
	wire_free(&w->client);
	assert_int_equal(loop_blocks(w->loop)->used, 0);
	loop_free(w->loop);
}

/* Says a request and waits for the whole answer, which the Connection field makes the last one. */
static const char *ask(struct world *w, const char *line, const char *fields, const char *body)
{
	begin(w, 4096);
	wire_say(&w->client, line);
	wire_say(&w->client, " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n");
	wire_say(&w->client, fields);
	wire_say(&w->client, "\r\n");
	wire_say(&w->client, body);
	UNTIL(w->loop, w->client.heard_end);
	return buf_text(&w->client.heard);
}

static int status_of(const char *answer)
{
	return atoi(answer + strlen("HTTP/1.1 "));
}

static struct span body_of(struct world *w)
{
	struct span all = buf_span(&w->client.heard);
	const char *at = memmem(all.p, all.n, "\r\n\r\n", 4);
	assert_non_null(at);
	return span_from(all, (size_t)(at + 4 - all.p));
}

static json_t *object_of(struct world *w)
{
	struct span body = body_of(w);
	json_t *o = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_is_object(o));
	return o;
}

static const char *text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static void test_echo(void **state)
{
	struct world w;
	(void)state;
	ask(&w, "GET /get?a=1&b=&a=2", "X-Twice: one\r\nX-Twice: two\r\nX-Old: \xe4\r\n", "");
	json_t *o = object_of(&w);
	assert_string_equal(text_of(o, "method"), "GET");
	assert_string_equal(text_of(o, "url"), "https://" AUTHORITY "/get?a=1&b=&a=2");
	assert_string_equal(text_of(json_object_get(o, "args"), "a"), "1, 2");
	assert_string_equal(text_of(json_object_get(o, "args"), "b"), "");
	assert_string_equal(text_of(json_object_get(o, "headers"), "X-Twice"), "one, two");
	assert_string_equal(text_of(json_object_get(o, "headers"), "X-Old"), "\xc3\xa4");
	assert_true(json_is_null(json_object_get(o, "json")));
	json_decref(o);
	end(&w);
}

static void test_post(void **state)
{
	struct world w;
	(void)state;
	ask(&w, "POST /post", "Content-Length: 8\r\n", "{\"a\": 1}");
	json_t *o = object_of(&w);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "json"), "a")), 1);
	assert_string_equal(text_of(o, "data"), "{\"a\": 1}");
	assert_true(json_is_false(json_object_get(o, "chunked")));
	json_decref(o);
	end(&w);

	ask(&w, "POST /post", "Transfer-Encoding: chunked\r\n", "2\r\n\xff\xfe\r\n3\r\nabc\r\n0\r\n\r\n");
	o = object_of(&w);
	uint8_t sha256[32];
	char hex[HEX_SHA256];
	hash_sha256(&(struct span){"\xff\xfe"
				   "abc",
				   5},
		    1, sha256);
	hex_sha256(sha256, hex);
	assert_string_equal(text_of(o, "sha256"), hex);
	assert_int_equal(json_integer_value(json_object_get(o, "bytes")), 5);
	assert_string_equal(text_of(o, "data"), ""); /* no UTF-8 */
	assert_true(json_is_true(json_object_get(o, "chunked")));
	json_decref(o);
	end(&w);
}

static void test_expect_continue(void **state)
{
	struct world w;
	(void)state;
	begin(&w, 4096);
	wire_say(&w.client,
		 "POST /post HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	UNTIL(w.loop, wire_heard(&w.client, "100 Continue\r\n\r\n"));
	assert_false(wire_heard(&w.client, "200"));
	wire_say(&w.client, "42");
	UNTIL(w.loop, wire_heard(&w.client, "\"json\": 42"));
	assert_int_equal(wire_count(&w.client, "100 Continue"), 1);
	end(&w);
}

static void test_objects(void **state)
{
	struct world w;
	(void)state;
	ask(&w, "GET /users/octocat", "", "");
	json_t *o = object_of(&w);
	assert_string_equal(text_of(o, "login"), "octocat");
	json_decref(o);
	end(&w);
	ask(&w, "GET /posts/7", "", "");
	o = object_of(&w);
	assert_int_equal(json_integer_value(json_object_get(o, "id")), 7);
	json_decref(o);
	end(&w);
	assert_true(strstr(ask(&w, "GET /stream/3", "", ""), "chunked") != NULL);
	assert_int_equal(wire_count(&w.client, "\"of\": 3"), 3);
	end(&w);
}

static void test_statuses(void **state)
{
	static const struct {
		const char *line;
		int status;
	} rows[] = {{"GET /status/204", 204},
		    {"GET /status/404", 404},
		    {"GET /status/599", 599},
		    {"GET /status/199", 404},
		    {"GET /status/600", 404},
		    {"GET /status/20x", 404},
		    {"GET /status/", 404},
		    {"GET /", 404},
		    {"GET /nothing", 404},
		    {"POST /get", 405},
		    {"GET /post", 405},
		    {"GET /put", 405},
		    {"HEAD /get", 200},
		    {"PUT /put", 200},
		    {"DELETE /anything", 200},
		    {"GET /delay/0", 200},
		    {"GET /delay/x", 400},
		    {"GET /delay/11", 400},
		    {"GET /delay/-1", 400},
		    {"GET /delay/nan", 400},
		    {"GET /bytes/0", 200},
		    {"GET /bytes/-1", 404},
		    {"GET /bytes/99999999999999999999", 404},
		    {"GET /stream/0", 200},
		    {"GET /posts/x", 404},
		    {"GET /users/", 404}};
	struct world w;
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		const char *answer = ask(&w, rows[i].line, "", "");
		if (status_of(answer) != rows[i].status)
			fail_msg("%s: %d", rows[i].line, status_of(answer));
		if (strncmp(rows[i].line, "HEAD", 4) == 0)
			assert_int_equal(body_of(&w).n, 0);
		end(&w);
	}
}

static void test_bytes(void **state)
{
	struct world w;
	uint8_t want[1000];
	(void)state;
	ask(&w, "GET /bytes/1000?seed=7", "", "");
	noise_fill(7, 0, want, sizeof want);
	assert_int_equal(body_of(&w).n, sizeof want);
	assert_memory_equal(body_of(&w).p, want, sizeof want);
	assert_true(wire_heard(&w.client, "Content-Length: 1000\r\n"));
	end(&w);
}

/* Whoever does not read is not sent to: what is made is what fits between the two, and one block. */
static void test_back_pressure(void **state)
{
	struct world w;
	(void)state;
	begin(&w, 4096);
	wire_say(&w.client, "GET /bytes/1000000000000 HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(w.loop, w.client.heard.n > 0);
	wire_deafen(&w.client);
	for (int i = 0; i < 50; i++)
		loop_step(w.loop, 0);
	uint64_t sent = mem_sent(w.server);
	for (int i = 0; i < 50; i++)
		loop_step(w.loop, 0);
	assert_int_equal(mem_sent(w.server), sent);
	assert_true(sent < 300000);
	assert_true(loop_blocks(w.loop)->used <= 3);
	wire_listen(&w.client);
	UNTIL(w.loop, mem_sent(w.server) > sent + 1000000);
	end(&w);
}

/* A client that goes away in the middle leaves nothing behind. */
static void test_client_goes(void **state)
{
	struct world w;
	(void)state;
	begin(&w, 64);
	wire_say(&w.client, "GET /stream/100000 HTTP/1.1\r\nHost: h\r\n\r\n");
	UNTIL(w.loop, w.client.heard.n > 500);
	wire_close(&w.client);
	UNTIL(w.loop, list_empty(&w.answers) && w.conns.count == 0);
	end(&w);
	begin(&w, 64);
	wire_say(&w.client, "POST /post HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
	UNTIL(w.loop, !list_empty(&w.answers));
	wire_close(&w.client);
	UNTIL(w.loop, list_empty(&w.answers) && w.conns.count == 0);
	end(&w);
}

/* The same bytes come whatever pieces they are moved in, and requests on one connection keep their order. */
static void test_any_capacity(void **state)
{
	static const size_t capacities[] = {1, 7, 4096};
	(void)state;
	for (size_t i = 0; i < countof(capacities); i++) {
		struct world w;
		begin(&w, capacities[i]);
		wire_say(&w.client,
			 "GET /posts/1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /post HTTP/1.1\r\nHost: h\r\n"
			 "Content-Length: 4\r\n\r\n1234GET /stream/2 HTTP/1.1\r\nHost: h\r\n\r\n");
		UNTIL(w.loop, wire_heard(&w.client, "{\"id\": 1, \"of\": 2}\n\r\n0\r\n\r\n"));
		const char *all = buf_text(&w.client.heard);
		assert_true(strstr(all, "\"userId\"") < strstr(all, "\"json\": 1234"));
		assert_int_equal(wire_count(&w.client, "HTTP/1.1 200 OK"), 3);
		end(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_post),
		cmocka_unit_test(test_expect_continue),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_client_goes),
		cmocka_unit_test(test_any_capacity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

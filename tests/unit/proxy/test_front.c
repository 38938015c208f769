/* What a front makes of a request: its target, or why there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "support/front_world.h"

#define OWN_VIA "nitroproxy-world-0000000000000abc"

/* ---- requests that go on ---- */

static const struct {
	const char *request, *target;
} forms[] = {
	{"GET /https://example.com/a?b HTTP/1.1\r\nHost: x\r\n\r\n", "url https example.com 443 /a?b\n"},
	{"GET /https:/example.com:8443/a HTTP/1.1\r\nHost: x\r\n\r\n", "url https example.com 8443 /a\n"},
	{"PUT /a HTTP/1.1\r\nHost: x\r\nX-Target-URL: http://example.com\r\n\r\n",
	 "url http example.com 80 /\n"},
	{"GET https://example.com?q HTTP/1.1\r\nHost: example.com\r\n\r\n",
	 "url https example.com 443 /?q\n"},
	{"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", "tunnel example.com 443 \n"},
	{"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "self /health\n"},
	{"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "self *\n"},
	/* of others in Via, one of them with our name before its own */
	{"GET /a HTTP/1.1\r\nHost: x\r\nVia: 1.1 nitroproxy-world-0000000000000abd, 1.0 fred (" OWN_VIA
	 ")\r\n\r\n",
	 "self /a\n"},
};

/* The role gets the target, and the head as it came. */
static void test_forms(void **state)
{
	(void)state;
	struct front_world w;
	front_world_start(&w);
	for (size_t i = 0; i < countof(forms); i++) {
		struct wire c;
		front_world_client(&w, &c, FRONT_STRANGER);
		front_client_ask(&w, &c, forms[i].request);
		front_client_heard(&c, "HTTP/1.1 200 OK\r\n");
		front_client_heard(&c, forms[i].target);
		front_client_heard(&c, forms[i].request);
		assert_int_equal(w.routed, i + 1);
		assert_false(w.last.failed);
		wire_free(&c);
	}
	front_world_end(&w);
}

#define LADEN                                                                                                \
	"POST /https://example.com/ HTTP/1.1\r\nHost: x\r\n" FRONT_ALICE "Connection: close, X-A\r\n"        \
	"X-A: 1\r\nX-Nitroproxy-Trace: 1\r\nX-B: 2\r\nx-b: 3\r\nContent-Length: 5\r\n\r\n"

/* Nothing is taken out of a request on its way to the role, and who has sent it is known there. */
static void test_what_comes_along(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	front_world_start(&w);
	w.holds = true;
	front_world_client(&w, &c, FRONT_STRANGER);
	wire_say(&c, LADEN "hello");
	front_world_turn(&w);
	assert_int_equal(w.routed, 1);
	struct stream_peer peer;
	stream_peer(exchange_info(w.held)->client, &peer);
	assert_string_equal(peer.address, FRONT_STRANGER.address);
	assert_int_equal(exchange_info(w.held)->bytes_up, 5);
	assert_string_equal(exchange_info(w.held)->method, "POST");
	front_world_answer(&w);
	front_world_turn(&w);
	front_client_heard(&c, LADEN);
	wire_free(&c);
	front_world_end(&w);
}

/* ---- requests that are refused ---- */

struct refusal {
	const char *request, *status, *why;
};

static const struct refusal refusals[] = {
	/* they have been here before, by any form, and whoever was here since */
	{"GET /https://example.com/ HTTP/1.1\r\nHost: x\r\nVia: 1.1 " OWN_VIA "\r\n\r\n", "508 Loop Detected",
	 "\"kind\":\"loop\""},
	{"GET /health HTTP/1.1\r\nHost: x\r\nVia: 1.1 a, 1.0 " OWN_VIA " (b), 1.1 c\r\n\r\n",
	 "508 Loop Detected", "\"kind\":\"loop\""},
	{"CONNECT a.com:443 HTTP/1.1\r\nHost: a.com:443\r\nVia: 1.1 a\r\nVIA: 1.1 " OWN_VIA "\r\n\r\n",
	 "508 Loop Detected", "\"kind\":\"loop\""},
	{"GET ftp://example.com/ HTTP/1.1\r\nHost: x\r\nVia: 1.1 " OWN_VIA "\r\n\r\n", "508 Loop Detected",
	 "\"kind\":\"loop\""},
	/* no target, or two */
	{"GET ftp://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", "400 Bad Request",
	 "not an https:// or http:// URL"},
	{"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", "only OPTIONS"},
	{"GET /https:///a HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", "the target has no host"},
	{"GET https://a.com/ HTTP/1.1\r\nHost: b.com\r\n\r\n", "400 Bad Request", "different hosts"},
	{"GET /https://a.com/ HTTP/1.1\r\nHost: x\r\nX-Target-URL: https://b.com/\r\n\r\n", "400 Bad Request",
	 "different targets"},
	{"GET / HTTP/1.1\r\nHost: x\r\nX-Target-URL: https://a.com/\r\nX-Target-URL: https://a.com/\r\n\r\n",
	 "400 Bad Request", "more than one X-Target-URL"},
	{"GET / HTTP/1.1\r\nHost: x\r\nX-Target-URL: ftp://a.com/\r\n\r\n", "400 Bad Request",
	 "X-Target-URL: the target is not"},
	{"GET / HTTP/1.1\r\nHost: x\r\nX-Target-URL: https://a.com/ b\r\n\r\n", "400 Bad Request",
	 "a space, a control character"},
	{"GET / HTTP/1.1\r\nHost: x\r\nX-Target-URL:\r\n\r\n", "400 Bad Request", "X-Target-URL"},
	/* paths that had to be joined are nobody's behind an error */
	{"GET /https://a.com?b HTTP/1.1\r\nHost: x\r\nX-Target-URL: https://a.com?c\r\n\r\n",
	 "400 Bad Request", "different targets"},
	{"CONNECT a.com HTTP/1.1\r\nHost: a.com\r\n\r\n", "400 Bad Request", "the port is missing"},
	{"CONNECT a.com:443 HTTP/1.1\r\nHost: a.com:443\r\nX-Target-URL: https://a.com/\r\n\r\n",
	 "400 Bad Request", "X-Target-URL has no meaning"},
	/* addresses in disguise */
	{"GET /https://0x7f.1/ HTTP/1.1\r\nHost: x\r\n\r\n", "403 Forbidden", "\"kind\":\"address_denied\""},
	{"GET /https://user@a.com/ HTTP/1.1\r\nHost: x\r\n\r\n", "400 Bad Request", "a user name in it"},
};

static void is_refused(struct front_world *w, const struct refusal *r)
{
	struct wire c;
	char status[64];
	unsigned routed = w->routed;
	front_world_client(w, &c, FRONT_STRANGER);
	front_client_ask(w, &c, r->request);
	snprintf(status, sizeof status, "HTTP/1.1 %s\r\n", r->status);
	front_client_heard(&c, status);
	front_client_heard(&c, r->why);
	front_client_heard(&c, "\"hop\":\"client\"");
	front_client_heard(&c, "Proxy-Status: front-world; error=");
	assert_int_equal(w->routed, routed);
	assert_true(w->last.failed);
	assert_int_equal(w->last.err.hop, HOP_CLIENT);
	wire_free(&c);
}

static void test_refused(void **state)
{
	(void)state;
	struct front_world w;
	front_world_start(&w);
	for (size_t i = 0; i < countof(refusals); i++)
		is_refused(&w, &refusals[i]);
	front_world_end(&w);
}

/* One that is refused is no reason to end its connection. */
static void test_goes_on(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	front_world_start(&w);
	front_world_client(&w, &c, FRONT_STRANGER);
	front_client_ask(&w, &c, "GET ftp://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n");
	front_client_heard(&c, "HTTP/1.1 400 ");
	front_client_ask(&w, &c, "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	front_client_heard(&c, "self /b\n");
	wire_free(&c);
	front_world_end(&w);
}

/* limits.url_length holds for what X-Target-URL names as well. */
static void test_length(void **state)
{
	(void)state;
	struct front_world w;
	struct error err;
	front_world_init(&w);
	w.settings.limits.url_length = 30;
	assert_true(front_world_open(&w, &err));
	front_world_ask(&w, FRONT_STRANGER,
			"GET / HTTP/1.1\r\nHost: x\r\nX-Target-URL: https://example.com/9012345678\r\n\r\n",
			"url https example.com 443 /9012345678\n");
	is_refused(&w, &(struct refusal){"GET / HTTP/1.1\r\nHost: x\r\n"
					 "X-Target-URL: https://example.com/90123456789\r\n\r\n",
					 "414 URI Too Long", "has 31 bytes, the limit is 30"});
	front_world_end(&w);
}

/* ---- for an application ---- */

static void test_app(void **state)
{
	(void)state;
	static const struct refusal refused[] = {
		{"CONNECT a.com:443 HTTP/1.1\r\nHost: a.com:443\r\n\r\n", "405 Method Not Allowed",
		 "\"kind\":\"method\""},
		{"GET /a HTTP/1.1\r\nHost: x\r\nVia: 1.1 " OWN_VIA "\r\n\r\n", "508 Loop Detected",
		 "\"kind\":\"loop\""},
	};
	static const char *const asked[][2] = {
		{"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", "self /a?b\n"},
		{"GET /https://a.com/ HTTP/1.1\r\nHost: x\r\n\r\n", "self /https://a.com/\n"},
		{"GET https://a.com/ HTTP/1.1\r\nHost: b.com\r\n\r\n", "self https://a.com/\n"},
		{"GET /a HTTP/1.1\r\nHost: x\r\nX-Target-URL: https://a.com/\r\n\r\n", "self /a\n"},
		{"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "self *\n"},
	};
	struct front_world w;
	struct error err;
	front_world_init(&w);
	w.app = true;
	assert_true(front_world_open(&w, &err));
	for (size_t i = 0; i < countof(refused); i++)
		is_refused(&w, &refused[i]);
	for (size_t i = 0; i < countof(asked); i++)
		front_world_ask(&w, FRONT_STRANGER, asked[i][0], asked[i][1]);
	front_world_end(&w);
}

/* ---- numbers ---- */

static void *first_of_a_thread(void *id)
{
	*(uint64_t *)id = front_new_id();
	return NULL;
}

static void test_ids(void **state)
{
	(void)state;
	uint64_t ids[300];
	pthread_t thread;
	for (size_t i = 2; i < countof(ids); i++)
		ids[i] = front_new_id();
	for (size_t i = 0; i < 2; i++) { /* as those of two processes */
		assert_int_equal(pthread_create(&thread, NULL, first_of_a_thread, &ids[i]), 0);
		pthread_join(thread, NULL);
	}
	for (size_t i = 0; i < countof(ids); i++)
		for (size_t j = 0; j < i; j++)
			assert_true(ids[i] != ids[j]);

	struct front_world w;
	front_world_start(&w);
	front_world_ask(&w, FRONT_STRANGER, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "self /");
	uint64_t first = w.id;
	front_world_ask(&w, FRONT_STRANGER, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "self /");
	assert_true(w.id != first);
	front_world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),	cmocka_unit_test(test_what_comes_along),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_length),	cmocka_unit_test(test_app),
		cmocka_unit_test(test_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

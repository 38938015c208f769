/* A front's connections: whose are taken, how many, how long they stay, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/log.h"
#include "support/front_world.h"
#include "support/until.h"

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

static uint64_t open_now(const struct front_world *w)
{
	assert_int_equal(crew_figures(w->crew)->connections, front_connections(w->front));
	return front_connections(w->front);
}

static void on_line(void *arg, const char *line, size_t n)
{
	struct buf *lines = arg;
	buf_add(lines, line, n);
}

static void listen_to_log(struct buf *lines)
{
	buf_init(lines, 65536);
	log_tap(on_line, lines);
}

static void has_line(struct buf *lines, const char *text)
{
	log_tap(NULL, NULL);
	assert_non_null(strstr(buf_text(lines), text));
	buf_free(lines);
}

/* ---- which are taken ---- */

static void test_counted(void **state)
{
	(void)state;
	struct front_world w;
	struct wire a, b;
	front_world_start(&w);
	front_world_client(&w, &a, FRONT_STRANGER);
	front_world_client(&w, &b, FRONT_STRANGER);
	assert_int_equal(open_now(&w), 2);
	front_client_ask(&w, &a, GET);
	wire_free(&a);
	UNTIL(w.loop, w.closed);
	assert_int_equal(open_now(&w), 1);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.metrics.connections, 2);
	assert_int_equal(w.metrics.refused, 0);
	wire_free(&b);
	front_world_end(&w);
}

/* Who is not in the list hears nothing at all. */
static void test_peers(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	struct error err;
	struct buf lines;
	front_world_init(&w);
	text_list_add(&w.settings.access.peer_uids, "7");
	assert_true(front_world_open(&w, &err));
	listen_to_log(&lines);
	front_world_client(&w, &c, (struct front_peer){.address = "uid 8", .transport = "unix", .uid = 8});
	UNTIL(w.loop, c.heard_end);
	assert_int_equal(c.heard.n, 0);
	assert_int_equal(open_now(&w), 0);
	assert_int_equal(w.metrics.connections, 0);
	assert_int_equal(w.metrics.refused, 1);
	assert_int_equal(w.metrics.errors[ERR_DENIED][HOP_CLIENT], 1);
	assert_int_equal(w.closed, 0);
	has_line(&lines, "msg=\"connection refused\" error=denied hop=client");
	wire_free(&c);
	front_world_ask(&w, (struct front_peer){.address = "uid 7", .transport = "unix", .uid = 7}, GET,
			"self /a\n");
	assert_int_equal(w.metrics.refused, 1);
	front_world_end(&w);
}

/* ---- heads that cannot be read ---- */

static void test_unreadable(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{"GET /\r\n\r\n", "HTTP/1.1 400 "},
		{"GET /901234567890123456789012345678901 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 414 "},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", "HTTP/1.1 431 "},
		{"GET / HTTP/1.1\r\nHost: x\r\n"
		 "A: 1234567890123456789012345678901234567890123456789012345678901234567890\r\n\r\n",
		 "HTTP/1.1 431 "},
	};
	struct front_world w;
	struct error err;
	front_world_init(&w);
	w.settings.limits.url_length = 30;
	w.settings.limits.header_count = 3;
	w.settings.limits.header_bytes = 100;
	assert_true(front_world_open(&w, &err));
	front_world_ask(&w, FRONT_STRANGER, /* each limit is met, none is passed */
			"GET /90123456789012345678901234567 HTTP/1.1\r\nHost: x\r\nA: 1\r\n"
			"B: 1234567890123456789012345678901\r\n\r\n",
			"HTTP/1.1 200 ");
	for (size_t i = 0; i < countof(rows); i++) {
		struct wire c;
		struct buf lines;
		listen_to_log(&lines);
		front_world_client(&w, &c, FRONT_STRANGER);
		wire_say(&c, rows[i][0]);
		UNTIL(w.loop, wire_heard(&c, "\r\n\r\n"));
		front_client_heard(&c, rows[i][1]);
		front_client_heard(&c, "Proxy-Status: front-world; error=http_request_error");
		assert_int_equal(w.metrics.refused, i + 1);
		has_line(&lines, "msg=\"request refused\" error=");
		wire_free(&c);
	}
	assert_int_equal(w.metrics.errors[ERR_BAD_REQUEST][HOP_CLIENT], 1);
	assert_int_equal(w.metrics.errors[ERR_URL_SIZE][HOP_CLIENT], 1);
	assert_int_equal(w.metrics.errors[ERR_HEAD_SIZE][HOP_CLIENT], 2);
	assert_int_equal(w.routed, 1);
	front_world_end(&w);
}

/* ---- how long ---- */

static void test_slow_head(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	struct error err;
	front_world_init(&w);
	w.settings.timeouts.client_header = 2;
	assert_true(front_world_open(&w, &err));
	front_world_client(&w, &c, FRONT_STRANGER);
	wire_say(&c, "GET / HT");
	UNTIL(w.loop, wire_heard(&c, "HTTP/1.1 408 "));
	assert_int_equal(w.metrics.errors[ERR_CLIENT_TIMEOUT][HOP_CLIENT], 1);
	wire_free(&c);
	front_world_end(&w);
}

static void test_idle(void **state)
{
	(void)state;
	struct front_world w;
	struct wire c;
	struct error err;
	front_world_init(&w);
	w.settings.timeouts.client_idle = 2;
	assert_true(front_world_open(&w, &err));
	front_world_client(&w, &c, FRONT_STRANGER);
	front_client_ask(&w, &c, GET);
	UNTIL(w.loop, c.heard_end);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.metrics.refused, 0);
	wire_free(&c);
	front_world_end(&w);
}

/* ---- listeners ---- */

static struct listener *listening(struct front_world *w)
{
	struct address a;
	struct error err;
	assert_true(address_parse("tcp:127.0.0.1:0", &a, &err));
	struct listener *li = listener_start(w->loop, &a, front_accept, w->front, &err);
	assert_non_null(li);
	front_add(w->front, li);
	return li;
}

/* -1: nobody listens there. The kernel's queue answers. */
static int connected(const struct sockaddr_any *to)
{
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, &to->sa, to->len) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Of two listeners, at the limit, both wait; when one connection goes, one that waits comes. */
static void test_full(void **state)
{
	(void)state;
	struct front_world w;
	struct error err;
	struct listener *li[2];
	int waiting[2];
	front_world_init(&w);
	w.workers = 2; /* of whom this one has its half of the limit */
	w.settings.limits.connections = 3;
	assert_true(front_world_open(&w, &err));
	li[0] = listening(&w);
	li[1] = listening(&w);
	int first = connected(listener_address(li[0]));
	UNTIL(w.loop, open_now(&w) == 1);
	int second = connected(listener_address(li[0]));
	UNTIL(w.loop, open_now(&w) == 2);
	for (int i = 0; i < 2; i++)
		waiting[i] = connected(listener_address(li[i]));
	for (int i = 0; i < 5; i++)
		loop_step(w.loop, 2);
	assert_int_equal(open_now(&w), 2);
	close(first);
	UNTIL(w.loop, w.metrics.connections == 3);
	for (int i = 0; i < 5; i++)
		loop_step(w.loop, 2);
	assert_int_equal(w.metrics.connections, 3);
	assert_int_equal(open_now(&w), 2);
	close(second);
	UNTIL(w.loop, w.metrics.connections == 4);
	close(waiting[0]);
	close(waiting[1]);
	UNTIL(w.loop, open_now(&w) == 0);
	front_world_end(&w);
}

/* What is idle goes, what runs is answered, and nobody else comes. */
static void test_drain(void **state)
{
	(void)state;
	struct front_world w;
	struct wire idle, busy, late;
	front_world_start(&w);
	struct sockaddr_any at[2];
	for (int i = 0; i < 2; i++)
		at[i] = *listener_address(listening(&w));
	front_world_client(&w, &idle, FRONT_STRANGER);
	front_world_client(&w, &busy, FRONT_STRANGER);
	w.holds = true;
	wire_say(&busy, GET GET);
	UNTIL(w.loop, w.held);
	front_drain(w.front);
	for (int i = 0; i < 2; i++)
		assert_int_equal(connected(&at[i]), -1);
	/* whose handshake took so long: over TLS they do not come from a listener of the front */
	front_world_client(&w, &late, FRONT_STRANGER);
	UNTIL(w.loop, idle.heard_end && late.heard_end);
	assert_int_equal(open_now(&w), 1);
	front_world_answer(&w);
	UNTIL(w.loop, busy.heard_end);
	front_client_heard(&busy, "self /a\n");
	front_client_heard(&busy, "Connection: close\r\n");
	assert_int_equal(w.routed, 1);
	wire_free(&idle);
	wire_free(&busy);
	wire_free(&late);
	UNTIL(w.loop, open_now(&w) == 0);
	assert_int_equal(w.closed, 2);
	front_world_end(&w);
}

/* The end without a drain. */
static void test_without_drain(void **state)
{
	(void)state;
	struct front_world w;
	struct wire idle, busy;
	front_free(NULL);
	front_world_start(&w);
	struct sockaddr_any at = *listener_address(listening(&w));
	front_world_client(&w, &idle, FRONT_STRANGER);
	front_world_client(&w, &busy, FRONT_STRANGER);
	w.holds = true;
	wire_say(&busy, GET);
	UNTIL(w.loop, w.held);
	front_world_stop(&w);
	assert_int_equal(connected(&at), -1);
	UNTIL(w.loop, idle.heard_end && busy.heard_end);
	assert_int_equal(w.done, 1);
	wire_free(&idle);
	wire_free(&busy);
	front_world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted),	   cmocka_unit_test(test_peers),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_slow_head),
		cmocka_unit_test(test_idle),	   cmocka_unit_test(test_full),
		cmocka_unit_test(test_drain),	   cmocka_unit_test(test_without_drain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

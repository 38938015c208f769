/* The tunnel role with real sockets: the enclave's side is a memory stream, services are on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/tunnel_message.h"
#include "support/sockets.h"
#include "support/tunnel_world.h"
#include "support/until.h"

/* Asks, and expects that error and the end of the connection. */
static void assert_refused(struct tunnel_world *t, const char *host, unsigned port, const char *kind,
			   const char *hop)
{
	struct tunnel_enclave *e = tunnel_enclave_asks(t, host, port);
	UNTIL(t->loop, e->ended);
	tunnel_enclave_assert_answer(e, "status", "error");
	tunnel_enclave_assert_answer(e, "kind", kind);
	tunnel_enclave_assert_answer(e, "hop", hop);
	assert_int_equal(tunnel_stats(t->tunnel)->errors[error_kind_of(kind)],
			 0); /* counted when it is over */
	tunnel_enclave_free(e);
	UNTIL(t->loop, tunnel_stats(t->tunnel)->open == 0);
	assert_int_equal(tunnel_stats(t->tunnel)->errors[error_kind_of(kind)], 1);
}

static void bytes_flow(void **state)
{
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD(LOOPBACK);
	struct sockaddr_any at;
	int listening = socket_listening(&at, 4);
	struct tunnel_enclave *e = tunnel_enclave_new(t);
	tunnel_request_write(&e->out, "127.0.0.1", (uint16_t)socket_port(&at), 7, NULL);
	buf_add_text(&e->out, "early");
	tunnel_enclave_send(e);
	UNTIL(t->loop, tunnel_enclave_answered(e));
	tunnel_enclave_assert_answer(e, "status", "connected");
	int service = accept(listening, NULL, NULL);
	char got[16] = "";
	UNTIL(t->loop, recv(service, got, sizeof got, MSG_PEEK | MSG_DONTWAIT) == 5);
	assert_string_equal(got, "early");
	buf_clear(&e->in);
	assert_int_equal(send(service, "answer", 6, 0), 6);
	close(service);
	UNTIL(t->loop, e->ended);
	assert_true(span_is(buf_span(&e->in), SPAN("answer")));
	tunnel_enclave_free(e);
	UNTIL(t->loop, tunnel_stats(t->tunnel)->open == 0);
	assert_int_equal(tunnel_stats(t->tunnel)->bytes_up, 5);
	assert_int_equal(tunnel_stats(t->tunnel)->bytes_down, 6);
	assert_int_equal(tunnel_stats(t->tunnel)->connected, 1);
	close(listening);
	tunnel_world_free(t);
}

static void names_are_resolved(void **state)
{
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD("--allow-cidr", "127.0.0.0/8", "--allow-cidr", "::1/128");
	struct sockaddr_any at;
	int listening = socket_listening(&at, 4);
	struct tunnel_enclave *e = tunnel_enclave_asks(t, "localhost", socket_port(&at));
	UNTIL(t->loop, tunnel_enclave_answered(e));
	tunnel_enclave_assert_answer(e, "status", "connected");
	tunnel_enclave_free(e);
	close(listening);
	tunnel_world_free(t);
}

static void what_is_refused(void **state)
{
	struct sockaddr_any nobody;
	(void)state;
	socket_refusing(&nobody);
	struct tunnel_world *t = TUNNEL_WORLD(LOOPBACK);
	assert_refused(t, "127.0.0.1", socket_port(&nobody), "refused", "service");
	assert_refused(t, "10.1.2.3", 80, "address_denied", "tunnel");
	tunnel_world_free(t);
	t = TUNNEL_WORLD(LOOPBACK, "--allow", "api.example.com:443");
	assert_refused(t, "127.0.0.1", socket_port(&nobody), "denied", "tunnel");
	tunnel_world_free(t);
	t = TUNNEL_WORLD("--allow", "*:*");
	assert_refused(t, "169.254.169.254", 80, "address_denied", "tunnel");
	tunnel_world_free(t);
	t = TUNNEL_WORLD(LOOPBACK);
	assert_refused(t, "no-such-name.invalid", 80, "dns", "tunnel");
	tunnel_world_free(t);
	t = TUNNEL_WORLD(); /* localhost resolves, but none of its addresses may be dialled */
	assert_refused(t, "localhost", 80, "address_denied", "tunnel");
	tunnel_world_free(t);
}

static void nobody_answers(void **state)
{
	struct sockaddr_any hole;
	int fds[2];
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD(LOOPBACK, "--timeouts-connect", "30ms");
	socket_black_hole(&hole, fds);
	assert_refused(t, "127.0.0.1", socket_port(&hole), "connect_timeout", "service");
	close(fds[0]);
	close(fds[1]);
	tunnel_world_free(t);
}

/* Its own listener is never dialled, by whatever address of this machine. */
static void never_dials_itself(void **state)
{
	struct address a;
	struct error err;
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD(LOOPBACK, "--allow-cidr", "0.0.0.0/8");
	assert_true(address_parse("tcp:127.0.0.1:0", &a, &err));
	struct listener *li = listener_start(t->loop, &a, tunnel_accept, t->tunnel, &err);
	assert_non_null(li);
	tunnel_add_listener(t->tunnel, li);
	unsigned port = socket_port(listener_address(li));
	assert_refused(t, "127.0.0.1", port, "address_denied", "tunnel");
	tunnel_world_free(t);
}

static void wrong_requests(void **state)
{
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD();
	struct tunnel_enclave *e = tunnel_enclave_new(t);
	buf_add_text(&e->out, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
	tunnel_enclave_send(e);
	UNTIL(t->loop, e->ended);
	tunnel_enclave_assert_answer(e, "kind", "protocol");
	assert_non_null(strstr(buf_text(&e->in) + 4, "expected a 4-byte big-endian length"));
	tunnel_enclave_free(e);

	e = tunnel_enclave_new(t); /* leaves in the middle */
	buf_add(&e->out, "\0\0\0\x10{", 5);
	tunnel_enclave_send(e);
	UNTIL(t->loop, e->written);
	tunnel_enclave_free(e);
	UNTIL(t->loop, tunnel_stats(t->tunnel)->errors[ERR_PROTOCOL] == 2);
	tunnel_world_free(t);

	t = TUNNEL_WORLD("--timeouts-tunnel-request", "20ms"); /* never gets to the end */
	e = tunnel_enclave_new(t);
	buf_add(&e->out, "\0\0", 2);
	tunnel_enclave_send(e);
	UNTIL(t->loop, e->ended);
	tunnel_enclave_assert_answer(e, "kind", "client_timeout");
	tunnel_enclave_free(e);
	tunnel_world_free(t);
}

static void ping(void **state)
{
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD("--allow", "a.example:443");
	struct tunnel_enclave *e = tunnel_enclave_new(t);
	tunnel_ping_write(&e->out);
	tunnel_enclave_send(e);
	UNTIL(t->loop, e->ended);
	tunnel_enclave_assert_answer(e, "status", "ok");
	tunnel_enclave_assert_answer(e, "version", NP_VERSION);
	tunnel_enclave_assert_answer(e, "allow", "listed");
	tunnel_enclave_free(e);
	tunnel_world_free(t);
}

/* The status stays below the message's cap whatever the counters are: all kinds, each at its longest. */
static void status_fits(void **state)
{
	struct buf out, message;
	(void)state;
	size_t kinds = 0;
	for (int kind = 1; kind < ERR_KINDS; kind++)
		kinds += strlen(error_kind_name((enum error_kind)kind)) + 4 + 20;
	struct tunnel_world *t = TUNNEL_WORLD();
	buf_init(&out, TUNNEL_MESSAGE_MAX);
	buf_init(&message, 2 * TUNNEL_MESSAGE_MAX);
	tunnel_status(t->tunnel, &out);
	assert_true(out.n + 6 * 20 + kinds < TUNNEL_MESSAGE_MAX);
	buf_free(&out);
	buf_free(&message);
	tunnel_world_free(t);
}

/* Peers that the kernel vouches for: a unix socket's user. */
static void peers(void **state)
{
	(void)state;
	char own[16];
	snprintf(own, sizeof own, "%u", getuid());
	for (int listed = 0; listed < 2; listed++) {
		struct tunnel_world *t = TUNNEL_WORLD("--access-peer-uids", listed ? own : "4294967000");
		struct stream *near, *far;
		socket_streams(t->loop, AF_UNIX, &near, &far);
		tunnel_accept(t->tunnel, far);
		struct tunnel_enclave *e = tunnel_enclave_over(near);
		tunnel_ping_write(&e->out);
		tunnel_enclave_send(e);
		UNTIL(t->loop, e->ended || e->failed);
		tunnel_enclave_assert_answer(e, "status", listed ? "ok" : "error");
		if (!listed)
			tunnel_enclave_assert_answer(e, "kind", "denied");
		tunnel_enclave_free(e);
		tunnel_world_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_flow),
		cmocka_unit_test(names_are_resolved),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(never_dials_itself),
		cmocka_unit_test(wrong_requests),
		cmocka_unit_test(ping),
		cmocka_unit_test(status_fits),
		cmocka_unit_test(peers),
	};
	log_open(&(struct log_options){.level = LOG_ERROR}, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

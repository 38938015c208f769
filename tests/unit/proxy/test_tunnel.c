/* The tunnel role with real sockets: the enclave's side is a memory stream, services are on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/dial.h"
#include "proxy/tunnel.h"
#include "proxy/tunnel_message.h"
#include "support/mem_stream.h"
#include "support/sockets.h"
#include "support/until.h"

struct bench {
	struct loop *loop;
	struct settings settings;
	struct crew *crew;
	struct tunnel *tunnel;
	bool drained;
};

/* args: what stands behind `tunnel` on the command line, then NULL. */
static struct bench *bench_new(const char *const *args)
{
	struct bench *t = mem_zero(sizeof *t);
	const char *argv[16] = {"tunnel"};
	char *envp[] = {NULL};
	int argc = 1;
	struct error err;
	for (; *args; args++)
		argv[argc++] = *args;
	if (settings_load_from(argc, (char *const *)(uintptr_t)argv, envp, stdout, CMD_TUNNEL, &t->settings,
			       &err) != SETTINGS_RUN)
		fail_msg("%s", err.text);
	t->loop = loop_new();
	t->crew = crew_new(&t->settings, 1);
	t->tunnel = tunnel_new(t->loop, &t->settings, t->crew, &err);
	assert_non_null(t->tunnel);
	return t;
}

#define BENCH(...) bench_new((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define LOOPBACK   "--allow-cidr", "127.0.0.0/8"

static void bench_free(struct bench *t)
{
	tunnel_free(t->tunnel);
	loop_free(t->loop);
	crew_free(t->crew);
	settings_free(&t->settings);
	free(t);
}

/* ---- the enclave's side ---- */

struct enclave {
	struct bench *bench;
	struct stream *s;
	struct buf out, in; /* in: all that came */
	bool written, ended, failed;
};

static void on_read(void *arg, struct block *b, const struct error *err)
{
	struct enclave *e = arg;
	e->ended = !b && !err;
	e->failed = err;
	if (!b)
		return;
	assert_true(buf_add(&e->in, b->data, b->len));
	block_put(b);
	stream_read(e->s, on_read, e);
}

static void on_written(void *arg, const struct error *err)
{
	struct enclave *e = arg;
	e->written = true;
	(void)err;
}

static struct enclave *enclave_new(struct bench *t)
{
	struct enclave *e = mem_zero(sizeof *e);
	struct stream *far;
	e->bench = t;
	mem_pair(t->loop, 8192, &e->s, &far);
	buf_init(&e->out, 65536);
	buf_init(&e->in, 65536);
	tunnel_accept(t->tunnel, far);
	stream_read(e->s, on_read, e);
	return e;
}

static void enclave_free(struct enclave *e)
{
	stream_close(e->s);
	buf_free(&e->out);
	buf_free(&e->in);
	free(e);
}

static void send_out(struct enclave *e)
{
	struct span v = buf_span(&e->out);
	e->written = false;
	stream_write(e->s, &v, 1, on_written, e);
}

/* An answer of the tunnel's as it stands in e->in. */
static json_t *answer_of(const struct enclave *e)
{
	const uint8_t *p = (const uint8_t *)e->in.p;
	if (e->in.n < TUNNEL_HEADER)
		return NULL;
	size_t n = (size_t)p[2] << 8 | p[3];
	return e->in.n < TUNNEL_HEADER + n ? NULL : json_loadb(e->in.p + TUNNEL_HEADER, n, 0, NULL);
}

static bool answered(const struct enclave *e)
{
	json_t *root = answer_of(e);
	json_decref(root);
	return root != NULL;
}

static void assert_answer(const struct enclave *e, const char *key, const char *value)
{
	json_t *root = answer_of(e);
	const char *text = json_string_value(json_object_get(root, key));
	assert_non_null(text);
	assert_string_equal(text, value);
	json_decref(root);
}

static struct enclave *asks(struct bench *t, const char *host, unsigned port)
{
	struct enclave *e = enclave_new(t);
	tunnel_request_write(&e->out, host, (uint16_t)port, 0, NULL);
	send_out(e);
	return e;
}

/* Asks, and expects that error and the end of the connection. */
static void assert_refused(struct bench *t, const char *host, unsigned port, const char *kind,
			   const char *hop)
{
	struct enclave *e = asks(t, host, port);
	UNTIL(t->loop, e->ended);
	assert_answer(e, "status", "error");
	assert_answer(e, "kind", kind);
	assert_answer(e, "hop", hop);
	assert_int_equal(tunnel_stats(t->tunnel)->errors[error_kind_of(kind)],
			 0); /* counted when it is over */
	enclave_free(e);
	UNTIL(t->loop, tunnel_stats(t->tunnel)->open == 0);
	assert_int_equal(tunnel_stats(t->tunnel)->errors[error_kind_of(kind)], 1);
}

static unsigned port_of(const struct sockaddr_any *at)
{
	return ntohs(at->v4.sin_port);
}

/* ---- tests ---- */

static void bytes_flow(void **state)
{
	(void)state;
	struct bench *t = BENCH(LOOPBACK);
	struct sockaddr_any at;
	int listening = socket_listening(&at, 4);
	struct enclave *e = enclave_new(t);
	tunnel_request_write(&e->out, "127.0.0.1", (uint16_t)port_of(&at), 7, NULL);
	buf_add_text(&e->out, "early");
	send_out(e);
	UNTIL(t->loop, answered(e));
	assert_answer(e, "status", "connected");
	int service = accept(listening, NULL, NULL);
	char got[16] = "";
	UNTIL(t->loop, recv(service, got, sizeof got, MSG_PEEK | MSG_DONTWAIT) == 5);
	assert_string_equal(got, "early");
	buf_clear(&e->in);
	assert_int_equal(send(service, "answer", 6, 0), 6);
	close(service);
	UNTIL(t->loop, e->ended);
	assert_true(span_is(buf_span(&e->in), SPAN("answer")));
	enclave_free(e);
	UNTIL(t->loop, tunnel_stats(t->tunnel)->open == 0);
	assert_int_equal(tunnel_stats(t->tunnel)->bytes_up, 5);
	assert_int_equal(tunnel_stats(t->tunnel)->bytes_down, 6);
	assert_int_equal(tunnel_stats(t->tunnel)->connected, 1);
	close(listening);
	bench_free(t);
}

static void names_are_resolved(void **state)
{
	(void)state;
	struct bench *t = BENCH("--allow-cidr", "127.0.0.0/8", "--allow-cidr", "::1/128");
	struct sockaddr_any at;
	int listening = socket_listening(&at, 4);
	struct enclave *e = asks(t, "localhost", port_of(&at));
	UNTIL(t->loop, answered(e));
	assert_answer(e, "status", "connected");
	enclave_free(e);
	close(listening);
	bench_free(t);
}

static void what_is_refused(void **state)
{
	struct sockaddr_any nobody;
	(void)state;
	socket_refusing(&nobody);
	struct bench *t = BENCH(LOOPBACK);
	assert_refused(t, "127.0.0.1", port_of(&nobody), "refused", "service");
	assert_refused(t, "10.1.2.3", 80, "address_denied", "tunnel");
	bench_free(t);
	t = BENCH(LOOPBACK, "--allow", "api.example.com:443");
	assert_refused(t, "127.0.0.1", port_of(&nobody), "denied", "tunnel");
	bench_free(t);
	t = BENCH("--allow", "*:*");
	assert_refused(t, "169.254.169.254", 80, "address_denied", "tunnel");
	bench_free(t);
	t = BENCH(LOOPBACK);
	assert_refused(t, "no-such-name.invalid", 80, "dns", "tunnel");
	bench_free(t);
	t = BENCH(); /* localhost resolves, but none of its addresses may be dialled */
	assert_refused(t, "localhost", 80, "address_denied", "tunnel");
	bench_free(t);
}

static void nobody_answers(void **state)
{
	struct sockaddr_any hole;
	int fds[2];
	(void)state;
	struct bench *t = BENCH(LOOPBACK, "--timeouts-connect", "30ms");
	socket_black_hole(&hole, fds);
	assert_refused(t, "127.0.0.1", port_of(&hole), "connect_timeout", "service");
	close(fds[0]);
	close(fds[1]);
	bench_free(t);
}

/* Its own listener is never dialled, by whatever address of this machine. */
static void never_dials_itself(void **state)
{
	struct address a;
	struct error err;
	(void)state;
	struct bench *t = BENCH(LOOPBACK, "--allow-cidr", "0.0.0.0/8");
	assert_true(address_parse("tcp:127.0.0.1:0", &a, &err));
	struct listener *li = listener_start(t->loop, &a, tunnel_accept, t->tunnel, &err);
	assert_non_null(li);
	tunnel_add_listener(t->tunnel, li);
	unsigned port = port_of(listener_address(li));
	assert_refused(t, "127.0.0.1", port, "address_denied", "tunnel");
	bench_free(t);
}

static void too_many_to_one_target(void **state)
{
	struct sockaddr_any at;
	(void)state;
	struct bench *t = BENCH(LOOPBACK, "--limits-connections-per-target", "2");
	int listening = socket_listening(&at, 4);
	struct enclave *e[3];
	for (int i = 0; i < 3; i++) {
		e[i] = asks(t, "127.0.0.1", port_of(&at));
		UNTIL(t->loop, answered(e[i]));
		assert_answer(e[i], "status", i < 2 ? "connected" : "error");
	}
	assert_answer(e[2], "kind", "limit");
	/* Room again when one has gone. */
	enclave_free(e[0]);
	close(accept(listening, NULL, NULL));
	UNTIL(t->loop, tunnel_stats(t->tunnel)->open <= 2);
	struct enclave *again = asks(t, "127.0.0.1", port_of(&at));
	UNTIL(t->loop, answered(again));
	assert_answer(again, "status", "connected");
	enclave_free(again);
	enclave_free(e[1]);
	enclave_free(e[2]);
	close(listening);
	bench_free(t);
}

static void wrong_requests(void **state)
{
	(void)state;
	struct bench *t = BENCH();
	struct enclave *e = enclave_new(t);
	buf_add_text(&e->out, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
	send_out(e);
	UNTIL(t->loop, e->ended);
	assert_answer(e, "kind", "protocol");
	assert_non_null(strstr(buf_text(&e->in) + 4, "expected a 4-byte big-endian length"));
	enclave_free(e);

	e = enclave_new(t); /* leaves in the middle */
	buf_add(&e->out, "\0\0\0\x10{", 5);
	send_out(e);
	UNTIL(t->loop, e->written);
	enclave_free(e);
	UNTIL(t->loop, tunnel_stats(t->tunnel)->errors[ERR_PROTOCOL] == 2);
	bench_free(t);

	t = BENCH("--timeouts-tunnel-request", "20ms"); /* never gets to the end */
	e = enclave_new(t);
	buf_add(&e->out, "\0\0", 2);
	send_out(e);
	UNTIL(t->loop, e->ended);
	assert_answer(e, "kind", "client_timeout");
	enclave_free(e);
	bench_free(t);
}

static void idle_tunnels_end(void **state)
{
	struct sockaddr_any at;
	(void)state;
	struct bench *t = BENCH(LOOPBACK, "--timeouts-tunnel-idle", "30ms");
	int listening = socket_listening(&at, 4);
	struct enclave *e = asks(t, "127.0.0.1", port_of(&at));
	UNTIL(t->loop, e->ended);
	assert_answer(e, "status", "connected");
	assert_int_equal(tunnel_stats(t->tunnel)->errors[ERR_TIMEOUT], 1);
	enclave_free(e);
	close(listening);
	bench_free(t);
}

static void ping(void **state)
{
	(void)state;
	struct bench *t = BENCH("--allow", "a.example:443");
	struct enclave *e = enclave_new(t);
	tunnel_ping_write(&e->out);
	send_out(e);
	UNTIL(t->loop, e->ended);
	assert_answer(e, "status", "ok");
	assert_answer(e, "version", NP_VERSION);
	assert_answer(e, "allow", "listed");
	enclave_free(e);
	bench_free(t);
}

/* The status stays below the message's cap whatever the counters are: all kinds, each at its longest. */
static void status_fits(void **state)
{
	struct buf out, message;
	(void)state;
	size_t kinds = 0;
	for (int kind = 1; kind < ERR_KINDS; kind++)
		kinds += strlen(error_kind_name((enum error_kind)kind)) + 4 + 20;
	struct bench *t = BENCH();
	buf_init(&out, TUNNEL_MESSAGE_MAX);
	buf_init(&message, 2 * TUNNEL_MESSAGE_MAX);
	tunnel_status(t->tunnel, &out);
	assert_true(out.n + 6 * 20 + kinds < TUNNEL_MESSAGE_MAX);
	buf_free(&out);
	buf_free(&message);
	bench_free(t);
}

static void on_drained(void *arg)
{
	((struct bench *)arg)->drained = true;
}

static void drains(void **state)
{
	struct sockaddr_any at;
	(void)state;
	struct bench *t = BENCH(LOOPBACK);
	int listening = socket_listening(&at, 4);
	struct enclave *e = asks(t, "127.0.0.1", port_of(&at));
	UNTIL(t->loop, answered(e));
	tunnel_drain(t->tunnel, on_drained, t);
	loop_step(t->loop, 0);
	assert_false(t->drained);
	int service = accept(listening, NULL, NULL);
	close(service);
	UNTIL(t->loop, e->ended);
	enclave_free(e);
	UNTIL(t->loop, t->drained);
	close(listening);
	bench_free(t);

	t = BENCH(LOOPBACK); /* the time is over, and what still runs is cut */
	listening = socket_listening(&at, 4);
	e = asks(t, "127.0.0.1", port_of(&at));
	UNTIL(t->loop, answered(e));
	tunnel_drain(t->tunnel, on_drained, t);
	tunnel_free(t->tunnel);
	t->tunnel = NULL;
	enclave_free(e);
	loop_step(t->loop, 0);
	assert_false(t->drained);
	close(listening);
	bench_free(t);

	t = BENCH(); /* nothing to wait for */
	tunnel_drain(t->tunnel, on_drained, t);
	assert_false(t->drained);
	UNTIL(t->loop, t->drained);
	bench_free(t);
}

/* Freed in each of its states, it leaves nothing behind. */
static void cut_at_each_step(void **state)
{
	struct sockaddr_any at;
	(void)state;
	int listening = socket_listening(&at, 64);
	for (int steps = 0; steps < 24; steps++) {
		struct bench *t = BENCH("--allow-cidr", "127.0.0.0/8", "--allow-cidr", "::1/128");
		struct enclave *named = asks(t, "localhost", port_of(&at));
		struct enclave *literal = asks(t, "127.0.0.1", port_of(&at));
		struct enclave *denied = asks(t, "10.0.0.1", 1);
		for (int i = 0; i < steps; i++)
			loop_step(t->loop, i % 4 == 3 ? 1 : 0);
		enclave_free(named);
		enclave_free(denied);
		tunnel_free(t->tunnel);
		t->tunnel = NULL;
		enclave_free(literal);
		bench_free(t);
	}
	close(listening);
}

/* Peers that the kernel vouches for: a unix socket's user. */
static void peers(void **state)
{
	(void)state;
	char own[16];
	snprintf(own, sizeof own, "%u", getuid());
	for (int listed = 0; listed < 2; listed++) {
		struct bench *t = BENCH("--access-peer-uids", listed ? own : "4294967000");
		struct stream *near, *far;
		socket_streams(t->loop, AF_UNIX, &near, &far);
		tunnel_accept(t->tunnel, far);
		struct enclave *e = mem_zero(sizeof *e);
		e->s = near;
		buf_init(&e->out, 4096);
		buf_init(&e->in, 8192);
		stream_read(near, on_read, e);
		tunnel_ping_write(&e->out);
		send_out(e);
		UNTIL(t->loop, e->ended || e->failed);
		assert_answer(e, "status", listed ? "ok" : "error");
		if (!listed)
			assert_answer(e, "kind", "denied");
		enclave_free(e);
		bench_free(t);
	}
}

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	assert_null(err);
	*(struct stream **)arg = s;
}

static void full_house_waits(void **state)
{
	struct address a;
	struct error err;
	struct stream *first = NULL, *second = NULL;
	(void)state;
	struct bench *t = BENCH("--limits-connections", "1");
	assert_true(address_parse("tcp:127.0.0.1:0", &a, &err));
	struct listener *li = listener_start(t->loop, &a, tunnel_accept, t->tunnel, &err);
	assert_non_null(li);
	tunnel_add_listener(t->tunnel, li);
	assert_true(address_parse(listener_name(li), &a, &err));
	dial_start(t->loop, &a, 5000, on_dialled, &first);
	UNTIL(t->loop, first && tunnel_stats(t->tunnel)->open == 1);
	dial_start(t->loop, &a, 5000, on_dialled, &second);
	UNTIL(t->loop, second);
	for (int i = 0; i < 5; i++)
		loop_step(t->loop, 1);
	assert_int_equal(tunnel_stats(t->tunnel)->accepted, 1);
	stream_close(first);
	UNTIL(t->loop, tunnel_stats(t->tunnel)->accepted == 2);
	stream_close(second);
	bench_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_flow),
		cmocka_unit_test(names_are_resolved),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(never_dials_itself),
		cmocka_unit_test(too_many_to_one_target),
		cmocka_unit_test(wrong_requests),
		cmocka_unit_test(idle_tunnels_end),
		cmocka_unit_test(ping),
		cmocka_unit_test(status_fits),
		cmocka_unit_test(drains),
		cmocka_unit_test(cut_at_each_step),
		cmocka_unit_test(peers),
		cmocka_unit_test(full_house_waits),
	};
	log_open(&(struct log_options){.level = LOG_ERROR}, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

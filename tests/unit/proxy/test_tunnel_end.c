/* How the tunnel role keeps to its limits, and how what runs in it ends: idle, drained, or freed with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "net/dial.h"
#include "support/sockets.h"
#include "support/tunnel_world.h"
#include "support/until.h"

static void too_many_to_one_target(void **state)
{
	struct sockaddr_any at;
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD(LOOPBACK, "--limits-connections-per-target", "2");
	int listening = socket_listening(&at, 4);
	struct tunnel_enclave *e[3];
	for (int i = 0; i < 3; i++) {
		e[i] = tunnel_enclave_asks(t, "127.0.0.1", socket_port(&at));
		UNTIL(t->loop, tunnel_enclave_answered(e[i]));
		tunnel_enclave_assert_answer(e[i], "status", i < 2 ? "connected" : "error");
	}
	tunnel_enclave_assert_answer(e[2], "kind", "limit");
	/* Room again when one has gone. */
	tunnel_enclave_free(e[0]);
	close(accept(listening, NULL, NULL));
	UNTIL(t->loop, tunnel_stats(t->tunnel)->open <= 2);
	struct tunnel_enclave *again = tunnel_enclave_asks(t, "127.0.0.1", socket_port(&at));
	UNTIL(t->loop, tunnel_enclave_answered(again));
	tunnel_enclave_assert_answer(again, "status", "connected");
	tunnel_enclave_free(again);
	tunnel_enclave_free(e[1]);
	tunnel_enclave_free(e[2]);
	close(listening);
	tunnel_world_free(t);
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
	struct tunnel_world *t = TUNNEL_WORLD("--limits-connections", "1");
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
	tunnel_world_free(t);
}

static void idle_tunnels_end(void **state)
{
	struct sockaddr_any at;
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD(LOOPBACK, "--timeouts-tunnel-idle", "30ms");
	int listening = socket_listening(&at, 4);
	struct tunnel_enclave *e = tunnel_enclave_asks(t, "127.0.0.1", socket_port(&at));
	UNTIL(t->loop, e->ended);
	tunnel_enclave_assert_answer(e, "status", "connected");
	assert_int_equal(tunnel_stats(t->tunnel)->errors[ERR_TIMEOUT], 1);
	tunnel_enclave_free(e);
	close(listening);
	tunnel_world_free(t);
}

static void on_drained(void *arg)
{
	((struct tunnel_world *)arg)->drained = true;
}

static void drains(void **state)
{
	struct sockaddr_any at;
	(void)state;
	struct tunnel_world *t = TUNNEL_WORLD(LOOPBACK);
	int listening = socket_listening(&at, 4);
	struct tunnel_enclave *e = tunnel_enclave_asks(t, "127.0.0.1", socket_port(&at));
	UNTIL(t->loop, tunnel_enclave_answered(e));
	tunnel_drain(t->tunnel, on_drained, t);
	loop_step(t->loop, 0);
	assert_false(t->drained);
	int service = accept(listening, NULL, NULL);
	close(service);
	UNTIL(t->loop, e->ended);
	tunnel_enclave_free(e);
	UNTIL(t->loop, t->drained);
	close(listening);
	tunnel_world_free(t);

	t = TUNNEL_WORLD(LOOPBACK); /* the time is over, and what still runs is cut */
	listening = socket_listening(&at, 4);
	e = tunnel_enclave_asks(t, "127.0.0.1", socket_port(&at));
	UNTIL(t->loop, tunnel_enclave_answered(e));
	tunnel_drain(t->tunnel, on_drained, t);
	tunnel_free(t->tunnel);
	t->tunnel = NULL;
	tunnel_enclave_free(e);
	loop_step(t->loop, 0);
	assert_false(t->drained);
	close(listening);
	tunnel_world_free(t);

	t = TUNNEL_WORLD(); /* nothing to wait for */
	tunnel_drain(t->tunnel, on_drained, t);
	assert_false(t->drained);
	UNTIL(t->loop, t->drained);
	tunnel_world_free(t);
}

/* Freed in each of its states, it leaves nothing behind. */
static void cut_at_each_step(void **state)
{
	struct sockaddr_any at;
	(void)state;
	int listening = socket_listening(&at, 64);
	for (int steps = 0; steps < 24; steps++) {
		struct tunnel_world *t =
			TUNNEL_WORLD("--allow-cidr", "127.0.0.0/8", "--allow-cidr", "::1/128");
		struct tunnel_enclave *named = tunnel_enclave_asks(t, "localhost", socket_port(&at));
		struct tunnel_enclave *literal = tunnel_enclave_asks(t, "127.0.0.1", socket_port(&at));
		struct tunnel_enclave *denied = tunnel_enclave_asks(t, "10.0.0.1", 1);
		for (int i = 0; i < steps; i++)
			loop_step(t->loop, i % 4 == 3 ? 1 : 0);
		tunnel_enclave_free(named);
		tunnel_enclave_free(denied);
		tunnel_free(t->tunnel);
		t->tunnel = NULL;
		tunnel_enclave_free(literal);
		tunnel_world_free(t);
	}
	close(listening);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_many_to_one_target), cmocka_unit_test(full_house_waits),
		cmocka_unit_test(idle_tunnels_end),	  cmocka_unit_test(drains),
		cmocka_unit_test(cut_at_each_step),
	};
	log_open(&(struct log_options){.level = LOG_ERROR}, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

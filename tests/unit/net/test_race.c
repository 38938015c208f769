#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "net/fd_stream.h"
#include "net/race.h"
#include "support/sockets.h"
#include "support/until.h"

struct seen {
	struct stream *s;
	int calls;
	bool failed;
	struct error err;
};

static void on_connected(void *arg, struct stream *s, const struct error *err)
{
	struct seen *seen = arg;
	seen->calls++;
	seen->s = s;
	seen->failed = err;
	if (err)
		seen->err = *err;
}

static unsigned port_reached(const struct stream *s)
{
	struct sockaddr_in at;
	socklen_t n = sizeof at;
	assert_int_equal(getpeername(fd_stream_fd(s), (struct sockaddr *)&at, &n), 0);
	return at.sin_port;
}

/* An address that fails makes room for the next at once. */
static void the_next_at_once(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct sockaddr_any to[3];
	struct seen seen = {0};
	socket_refusing(&to[0]);
	socket_refusing(&to[1]);
	int listening = socket_listening(&to[2], 4);
	uint64_t started = loop_now(l);
	race_start(l, to, 3, "the winner", on_connected, &seen);
	assert_int_equal(seen.calls, 0);
	UNTIL(l, seen.calls);
	assert_false(seen.failed);
	assert_int_equal(port_reached(seen.s), to[2].v4.sin_port);
	assert_true(loop_now(l) - started < RACE_STAGGER_MS);
	stream_close(seen.s);
	close(listening);
	loop_free(l);
}

/* One that does not answer gets its time alone, then the next one runs beside it and wins. */
static void the_next_beside(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct sockaddr_any to[2];
	struct seen seen = {0};
	int fds[2];
	socket_black_hole(&to[0], fds);
	int listening = socket_listening(&to[1], 4);
	loop_step(l, 0);
	uint64_t started = loop_now(l);
	race_start(l, to, 2, "the winner", on_connected, &seen);
	UNTIL(l, seen.calls);
	assert_false(seen.failed);
	assert_int_equal(port_reached(seen.s), to[1].v4.sin_port);
	assert_true(loop_now(l) - started >= RACE_STAGGER_MS);
	stream_close(seen.s);
	close(listening);
	close(fds[0]);
	close(fds[1]);
	loop_free(l);
}

/* Two IPv4 addresses that do not answer, then an IPv6 one that does: it is tried second, not third. */
static void families_alternate(void **state)
{
	(void)state;
	struct sockaddr_any to[3];
	struct seen seen = {0};
	int fds[2], more[2], listening = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	to[2] = (struct sockaddr_any){.len = sizeof to[2].v6};
	to[2].v6.sin6_family = AF_INET6;
	to[2].v6.sin6_addr = in6addr_loopback;
	if (listening < 0 || bind(listening, &to[2].sa, to[2].len) != 0)
		skip(); /* a machine without IPv6 */
	assert_int_equal(listen(listening, 4), 0);
	getsockname(listening, &to[2].sa, &to[2].len);
	socket_black_hole(&to[0], fds);
	socket_black_hole(&to[1], more);
	struct loop *l = loop_new();
	uint64_t started = loop_now(l);
	race_start(l, to, 3, "the winner", on_connected, &seen);
	UNTIL(l, seen.calls);
	assert_false(seen.failed);
	assert_true(loop_now(l) - started < 2 * RACE_STAGGER_MS);
	stream_close(seen.s);
	close(listening);
	close(fds[0]);
	close(fds[1]);
	close(more[0]);
	close(more[1]);
	loop_free(l);
}

static void all_fail(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct sockaddr_any to[3];
	struct seen seen = {0};
	for (size_t i = 0; i < 3; i++)
		socket_refusing(&to[i]);
	race_start(l, to, 3, "the winner", on_connected, &seen);
	UNTIL(l, seen.calls);
	assert_true(seen.failed);
	assert_null(seen.s);
	assert_int_equal(seen.err.kind, ERR_REFUSED);
	for (int i = 0; i < 5; i++)
		loop_step(l, 0);
	assert_int_equal(seen.calls, 1);
	loop_free(l);
}

/* loop_free finds watches, tasks and timers that were left behind. */
static void cancelled(void **state)
{
	(void)state;
	for (int steps = 0; steps < 6; steps++) {
		struct loop *l = loop_new();
		struct sockaddr_any to[3];
		struct seen seen = {0};
		int fds[2], more[2];
		socket_black_hole(&to[0], fds);
		socket_refusing(&to[1]);
		socket_black_hole(&to[2], more);
		struct race *r = race_start(l, to, 3, "the winner", on_connected, &seen);
		for (int i = 0; i < steps; i++)
			loop_step(l, 0);
		race_cancel(r);
		loop_step(l, 1);
		assert_int_equal(seen.calls, 0);
		close(fds[0]);
		close(fds[1]);
		close(more[0]);
		close(more[1]);
		loop_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_at_once),   cmocka_unit_test(the_next_beside),
		cmocka_unit_test(families_alternate), cmocka_unit_test(all_fail),
		cmocka_unit_test(cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

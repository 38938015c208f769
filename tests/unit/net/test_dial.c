#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/dial.h"
#include "net/listener.h"
#include "support/sockets.h"
#include "support/until.h"

struct seen {
	int calls;
	struct stream *s;
	struct error err;
};

static void on_dialled(void *arg, struct stream *s, const struct error *err)
{
	struct seen *seen = arg;
	seen->calls++;
	seen->s = s;
	assert_true(!s == (err != NULL));
	if (err)
		seen->err = *err;
}

static struct dial *dial(struct loop *l, const char *text, uint64_t ms, struct seen *seen)
{
	struct address a;
	assert_true(address_parse(text, &a, NULL));
	*seen = (struct seen){0};
	struct dial *d = dial_start(l, &a, ms, on_dialled, seen);
	assert_int_equal(seen->calls, 0);
	return d;
}

static void tcp(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct sockaddr_any at;
	struct seen seen;
	char text[64];
	int listening = socket_listening(&at, 8);
	static const char *const hosts[] = {"tcp:127.0.0.1:", "tcp:localhost:", "127.0.0.1:", ""};
	for (size_t i = 0; i < countof(hosts); i++) {
		snprintf(text, sizeof text, "%s%u", hosts[i], socket_port(&at));
		dial(l, text, 5000, &seen);
		UNTIL(l, seen.calls);
		if (!seen.s)
			fail_msg("%s", seen.err.text);
		assert_string_equal(stream_name(seen.s), text);
		stream_close(seen.s);
	}
	close(listening);
	dial(l, text, 5000, &seen);
	UNTIL(l, seen.calls);
	assert_null(seen.s);
	assert_int_equal(seen.err.kind, ERR_REFUSED);
	assert_non_null(strstr(seen.err.text, "cannot reach"));
	dial(l, "tcp:no-such-name.invalid:80", 60000, &seen);
	UNTIL(l, seen.calls);
	assert_true(seen.err.kind == ERR_DNS || seen.err.kind == ERR_DNS_TIMEOUT);
	loop_free(l);
}

static void on_written(void *arg, const struct error *err)
{
	assert_null(err);
	*(bool *)arg = true;
}

/* A connection that was watched while it was made is a stream like any other: it waits where the peer is slow. */
static void more_than_fits(void **state)
{
	(void)state;
	enum { SIZE = 16 << 20 };
	struct loop *l = loop_new();
	struct sockaddr_any at;
	struct seen seen;
	char text[64], *bytes = calloc(1, SIZE);
	bool written = false;
	int listening = socket_listening(&at, 8);
	snprintf(text, sizeof text, "tcp:127.0.0.1:%u", socket_port(&at));
	dial(l, text, 5000, &seen);
	UNTIL(l, seen.calls);
	int peer = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(peer >= 0);
	stream_write(seen.s, &(struct span){bytes, SIZE}, 1, on_written, &written);
	for (int i = 0; i < 5; i++)
		loop_step(l, 0);
	assert_false(written);
	size_t got = 0;
	for (int i = 0; i < 100000 && got < SIZE; i++) {
		ssize_t n = recv(peer, bytes, SIZE, 0);
		got += n > 0 ? (size_t)n : 0;
		loop_step(l, n > 0 ? 0 : 1);
	}
	assert_int_equal(got, SIZE);
	UNTIL(l, written);
	stream_close(seen.s);
	close(peer);
	close(listening);
	free(bytes);
	loop_free(l);
}

static void in_time(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct sockaddr_any hole;
	struct seen seen;
	char text[64];
	int fds[2];
	socket_black_hole(&hole, fds);
	snprintf(text, sizeof text, "tcp:127.0.0.1:%u", socket_port(&hole));
	dial(l, text, 20, &seen);
	UNTIL(l, seen.calls);
	assert_int_equal(seen.err.kind, ERR_CONNECT_TIMEOUT);
	dial_cancel(dial(l, text, 20, &seen));
	struct dial *d = dial(l, text, 5000, &seen);
	loop_step(l, 1);
	dial_cancel(d);
	for (int i = 0; i < 5; i++)
		loop_step(l, 10);
	assert_int_equal(seen.calls, 0);
	close(fds[0]);
	close(fds[1]);
	loop_free(l);
}

/* ---- hybrid vsock: a unix socket that is asked for a port ---- */

struct device {
	struct loop *loop;
	const char *answer;
	size_t piece; /* bytes a write */
	char asked[64];
	size_t asked_len, said;
	struct stream *s;
};

static void device_say(struct device *d);

static void on_said(void *arg, const struct error *err)
{
	struct device *d = arg;
	if (!err)
		device_say(d);
}

static void device_say(struct device *d)
{
	size_t n = strlen(d->answer) - d->said;
	struct span v = {d->answer + d->said, n < d->piece ? n : d->piece};
	if (n == 0)
		return;
	d->said += v.n;
	stream_write(d->s, &v, 1, on_said, d);
}

static void on_asked(void *arg, struct block *b, const struct error *err)
{
	struct device *d = arg;
	if (!b || err)
		return;
	assert_true(d->asked_len + b->len < sizeof d->asked);
	memcpy(d->asked + d->asked_len, b->data, b->len);
	d->asked_len += b->len;
	block_put(b);
	if (!memchr(d->asked, '\n', d->asked_len)) {
		stream_read(d->s, on_asked, d);
	} else if (!*d->answer) {
		stream_close(d->s); /* nobody listens on that port */
		d->s = NULL;
	} else {
		device_say(d);
	}
}

static void on_guest(void *arg, struct stream *s)
{
	struct device *d = arg;
	d->s = s;
	stream_read(s, on_asked, d);
}

static void on_behind(void *arg, struct block *b, const struct error *err)
{
	assert_null(err);
	*(struct block **)arg = b;
}

static void hybrid(void **state)
{
	static const struct {
		const char *answer;
		enum error_kind kind; /* ERR_NONE: taken */
	} rows[] = {
		{"OK 1073741824\nbehind", ERR_NONE},
		{"OK 0\nbehind", ERR_NONE},
		{"", ERR_REFUSED},
		{"\n", ERR_PROTOCOL},
		{"OK \n", ERR_PROTOCOL},
		{"ok 5\n", ERR_PROTOCOL},
		{"OK 5\r\n", ERR_PROTOCOL},
		{"OK 99999999999999999999999999999999999999999999", ERR_PROTOCOL},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", ERR_PROTOCOL},
	};
	char directory[] = "/tmp/np-dial.XXXXXX", text[100];
	struct address a;
	struct error err;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(text, sizeof text, "unix:%s/v", directory);
	assert_true(address_parse(text, &a, NULL));
	snprintf(text, sizeof text, "hybrid:%s/v:5001", directory);
	for (size_t i = 0; i < countof(rows); i++) {
		for (size_t piece = 1; piece <= 64; piece += 63) {
			struct loop *l = loop_new();
			struct device d = {.loop = l, .answer = rows[i].answer, .piece = piece};
			struct listener *li = listener_start(l, &a, on_guest, &d, &err);
			struct seen seen;
			assert_non_null(li);
			dial(l, text, 5000, &seen);
			UNTIL(l, seen.calls);
			assert_int_equal(seen.s ? ERR_NONE : seen.err.kind, rows[i].kind);
			assert_memory_equal(d.asked, "CONNECT 5001\n", 13);
			for (size_t got = 0; seen.s && got < 6;) { /* what came right behind is not lost */
				struct block *b = NULL;
				stream_read(seen.s, on_behind, &b);
				UNTIL(l, b);
				assert_memory_equal(b->data, &"behind"[got], b -> len);
				got += b->len;
				block_put(b);
			}
			stream_close(seen.s);
			stream_close(d.s);
			listener_stop(li);
			loop_free(l);
		}
	}
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp),
		cmocka_unit_test(more_than_fits),
		cmocka_unit_test(in_time),
		cmocka_unit_test(hybrid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

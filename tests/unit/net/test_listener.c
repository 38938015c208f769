#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/dial.h"
#include "net/fd_stream.h"
#include "net/listener.h"
#include "support/sockets.h"
#include "support/until.h"

static char directory[64], path[80];

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "%s", "/tmp/np-listener.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/s", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void on_accept(void *arg, struct stream *s)
{
	++*(int *)arg;
	stream_close(s);
}

static struct listener *listening(struct loop *l, const char *text, int *accepted, struct error *err)
{
	struct address a;
	assert_true(address_parse(text, &a, err));
	return listener_start(l, &a, on_accept, accepted, err);
}

static struct listener *listening_at_path(struct loop *l, int *accepted, struct error *err)
{
	char text[100];
	snprintf(text, sizeof text, "unix:%s", path);
	return listening(l, text, accepted, err);
}

/* A blocking connect, which the kernel's queue answers. */
static int connected(const struct listener *li)
{
	const struct sockaddr_any *to = listener_address(li);
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, &to->sa, to->len), 0);
	return fd;
}

static int option_of(const struct stream *s, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof value;
	assert_int_equal(getsockopt(fd_stream_fd(s), level, name, &value, &n), 0);
	return value;
}

static void on_accept_look(void *arg, struct stream *s)
{
	assert_int_equal(option_of(s, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option_of(s, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 128 * 1024);
	on_accept(arg, s);
}

/* Also on a socket that was handed to us. */
static void tuned(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct sockaddr_any at;
	struct listening socket;
	struct error err;
	int accepted = 0, fd = socket_listening(&at, 4);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	listening_adopt(&socket, fd, "adopted");
	struct listener *li = listener_new(l, &socket, on_accept_look, &accepted, &err);
	assert_non_null(li);
	int client = connected(li);
	UNTIL(l, accepted);
	close(client);
	listener_stop(li);
	loop_free(l);
}

static void tcp(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct error err;
	int accepted = 0, fds[100];
	struct listener *li = listening(l, "tcp:127.0.0.1:0", &accepted, &err);
	assert_non_null(li);
	unsigned port = 0;
	assert_int_equal(sscanf(listener_name(li), "tcp:127.0.0.1:%u", &port), 1);
	assert_true(port > 0);
	for (int i = 0; i < 100; i++) /* more than one batch */
		fds[i] = connected(li);
	UNTIL(l, accepted == 100);
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	/* The port is taken now. */
	assert_null(listening(l, listener_name(li), &accepted, &err));
	assert_non_null(strstr(err.text, "cannot listen on"));
	listener_stop(li);
	assert_null(listening(l, "tcp:example.org:80", &accepted, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	loop_free(l);
}

static void unix_socket(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct error err;
	struct stat st;
	int accepted = 0;
	mode_t old = umask(0);
	struct listener *li = listening_at_path(l, &accepted, &err);
	umask(old);
	assert_non_null(li);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	int fd = connected(li);
	UNTIL(l, accepted == 1);
	close(fd);
	assert_null(listening_at_path(l, &accepted, &err)); /* somebody answers there */
	assert_non_null(strstr(err.text, "in use"));
	listener_stop(li);
	assert_int_equal(access(path, F_OK), -1); /* it took its socket along */
	loop_free(l);
}

static void what_is_in_the_way(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct error err;
	int accepted = 0;
	/* Left over from a process that died: replaced. */
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	assert_int_equal(bind(dead, (struct sockaddr *)&at, sizeof at), 0);
	close(dead);
	struct listener *li = listening_at_path(l, &accepted, &err);
	assert_non_null(li);
	/* Another one has taken the place: it is not ours to remove. */
	assert_int_equal(unlink(path), 0);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	listener_stop(li);
	assert_int_equal(access(path, F_OK), 0);
	/* A file is never replaced. */
	assert_null(listening_at_path(l, &accepted, &err));
	assert_non_null(strstr(err.text, "no socket"));
	loop_free(l);
}

static void pause_and_resume(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct error err;
	int accepted = 0;
	struct listener *li = listening(l, "tcp:127.0.0.1:0", &accepted, &err);
	assert_non_null(li);
	listener_pause(li);
	int fd = connected(li);
	for (int i = 0; i < 5; i++)
		loop_step(l, 1);
	assert_int_equal(accepted, 0);
	listener_resume(li);
	UNTIL(l, accepted == 1);
	close(fd);
	listener_stop(li);
	loop_free(l);
}

/* Out of descriptors: it neither spins nor forgets the connection that waits. */
static void out_of_descriptors(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct error err;
	int accepted = 0;
	struct listener *li = listening(l, "tcp:127.0.0.1:0", &accepted, &err);
	assert_non_null(li);
	int fd = connected(li);
	struct rlimit before, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)fd; /* every one below is in use */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	UNTIL(l, listener_exhausted(li) > 0);
	for (int i = 0; i < 5; i++)
		loop_step(l, 1);
	assert_true(listener_exhausted(li) < 3);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(accepted, 0);
	UNTIL(l, accepted == 1);
	close(fd);
	listener_stop(li);
	loop_free(l);
}

static void given_by_systemd(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct error err;
	struct sockaddr_any at;
	int accepted = 0, fd = socket_listening(&at, 4);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	struct listening socket;
	listening_adopt(&socket, fd, "http");
	struct listener *li = listener_new(l, &socket, on_accept, &accepted, &err);
	assert_non_null(li);
	int client = connected(li);
	UNTIL(l, accepted == 1);
	close(client);
	listener_stop(li);
	loop_free(l);
}

static bool turn(void *arg)
{
	return *(bool *)arg;
}

/* Two who accept from one socket, as two processes would: who has the turn takes it, unless he cannot. */
static void shared(void **state)
{
	(void)state;
	struct loop *l = loop_new();
	struct error err;
	struct sockaddr_any at;
	int taken[2] = {0, 0}, fds[2] = {socket_listening(&at, 16), -1}, clients[10];
	bool turns[2] = {false, true};
	struct listener *li[2];
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fds[1] = dup(fds[0]);
	for (int i = 0; i < 2; i++) {
		struct listening socket;
		listening_adopt(&socket, fds[i], "http");
		li[i] = listener_new(l, &socket, on_accept, &taken[i], &err);
		assert_non_null(li[i]);
		listener_share(li[i], turn, &turns[i]);
	}
	for (int i = 0; i < 5; i++) {
		clients[i] = connected(li[0]);
		UNTIL(l, taken[1] == i + 1);
	}
	assert_int_equal(taken[0], 0);
	listener_pause(li[1]); /* he may take no more: the other sees to it that nobody waits for ever */
	for (int i = 5; i < 10; i++) {
		clients[i] = connected(li[0]);
		UNTIL(l, taken[0] == i - 4);
	}
	assert_int_equal(taken[1], 5);
	for (int i = 0; i < 10; i++)
		close(clients[i]);
	for (int i = 0; i < 2; i++)
		listener_stop(li[i]);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tuned),
		cmocka_unit_test(tcp),
		cmocka_unit_test_setup_teardown(unix_socket, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_in_the_way, set_up, tear_down),
		cmocka_unit_test(pause_and_resume),
		cmocka_unit_test(out_of_descriptors),
		cmocka_unit_test(given_by_systemd),
		cmocka_unit_test(shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

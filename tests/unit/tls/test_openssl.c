/* Against a real `openssl s_server` on loopback: what our own server cannot show us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "net/fd_stream.h"
#include "support/tls_pair.h"

#define STEP_MS	  50
#define STEPS_MAX 200 /* ten seconds, for a machine that is busy */

static struct loop *loop;
static struct tls_world world;
static char cert_path[64], key_path[64];

struct server {
	pid_t pid;
	FILE *in, *out; /* its standard input and output */
	unsigned port;
};

static void write_file(char path[64], struct span text)
{
	snprintf(path, 64, "/tmp/np-pem-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	loop = loop_new();
	tls_world_init(&world, NULL, NULL);
	write_file(cert_path, buf_span(&world.chain));
	write_file(key_path, buf_span(&world.key));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(cert_path);
	unlink(key_path);
	tls_world_free(&world);
	loop_free(loop);
	return 0;
}

static void run_openssl(const int in[2], const int out[2], const char *version, const char *option,
			const char *value)
{
	dup2(in[0], 0);
	dup2(out[1], 1);
	int null = open("/dev/null", O_WRONLY);
	dup2(null, 2);
	close(in[1]);
	execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert_path, "-key",
	       key_path, version, option, value, (char *)NULL);
	_exit(127);
}

/* Its first line of interest says where it listens: "ACCEPT 127.0.0.1:41234". */
static struct server start_with(const char *version, const char *option, const char *value)
{
	int in[2], out[2];
	assert_true(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	struct server s = {.pid = fork()};
	assert_true(s.pid >= 0);
	if (s.pid == 0)
		run_openssl(in, out, version, option, value);
	close(in[0]);
	close(out[1]);
	s.in = fdopen(in[1], "w");
	s.out = fdopen(out[0], "r");
	char line[256];
	while (!s.port && fgets(line, sizeof line, s.out))
		sscanf(line, "ACCEPT 127.0.0.1:%u", &s.port);
	return s;
}

static struct server start(const char *version)
{
	return start_with(version, NULL, NULL);
}

static void stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	fclose(s->in);
	fclose(s->out);
}

static void say(struct server *s, const char *line)
{
	fputs(line, s->in);
	fflush(s->in);
}

static void on_started(void *arg, struct stream *s, const struct error *err)
{
	struct tls_side *side = arg;
	side->starting = NULL;
	side->s = s;
	side->failed = err != NULL;
	if (err)
		side->err = *err;
}

static struct stream *connect_to(const struct server *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	struct error err;
	struct stream *stream = fd_stream_new(loop, fd, AF_INET, FD_CONNECTED, "loopback", &err);
	assert_non_null(stream);
	return stream;
}

#define WAIT_FOR(condition)                                                                                  \
	do {                                                                                                 \
		for (int turn = 0; turn < STEPS_MAX && !(condition); turn++)                                 \
			loop_step(loop, STEP_MS);                                                            \
		assert_true(condition);                                                                      \
	} while (0)

static struct tls_side dial(const struct server *s, const struct tls_conf *conf,
			    struct session_cache *sessions)
{
	struct tls_side side = {0};
	buf_init(&side.got, 1u << 20);
	struct tls_start o = {
		.conf = conf, .lower = connect_to(s), .host = PAIR_HOST, .port = 443, .sessions = sessions};
	side.starting = tls_start(&o, on_started, &side);
	WAIT_FOR(!side.starting);
	return side;
}

static void hang_up(struct tls_side *side)
{
	stream_close(side->s);
	buf_free(&side->got);
	loop_step(loop, 0);
	assert_int_equal(loop_blocks(loop)->used, 0);
}

static void data_then_key_update(void **state)
{
	(void)state;
	struct server s = start("-tls1_3");
	struct tls_side side = dial(&s, world.client, NULL);
	assert_non_null(side.s);
	tls_side_read(&side);
	say(&s, "hello\n");
	WAIT_FOR(side.got.n == 6);
	/* What we were told so far is right; that it is all we must not be told. */
	say(&s, "k\n");
	WAIT_FOR(side.failed);
	assert_int_equal(side.err.kind, ERR_TRUNCATED);
	assert_non_null(strstr(side.err.text, "KeyUpdate"));
	assert_false(side.ended);
	hang_up(&side);
	stop(&s);
}

static void both_tickets_are_resumed(void **state)
{
	(void)state;
	struct server s = start("-tls1_3");
	struct session_cache *sessions = session_cache_new(10);
	for (int i = 0; i < 3; i++) {
		struct tls_side side = dial(&s, world.client, sessions);
		assert_non_null(side.s);
		struct tls_info info;
		tls_info(side.s, &info);
		assert_int_equal(info.resumed, i > 0);
		tls_side_read(&side);
		say(&s, "x\n");
		WAIT_FOR(side.got.n == 2);
		/* two with a full handshake, one more with each that is resumed */
		assert_in_range(session_count(sessions), 1, 4);
		hang_up(&side);
	}
	session_cache_free(sessions);
	stop(&s);
}

static void old_protocol(void **state)
{
	(void)state;
	struct server s = start("-tls1_2");
	struct tls_side side = dial(&s, world.client, NULL);
	assert_null(side.s);
	assert_int_equal(side.err.kind, ERR_TLS);
	assert_string_equal(side.err.text, "the service speaks TLS 1.2 at most; tls.min_version is TLSv1.3");
	hang_up(&side);

	struct error err;
	const char *files[] = {world.ca_path, NULL};
	struct tls_options o = {.min_version = TLS_1_2, .ca_files = files};
	struct tls_conf *conf = tls_conf_new(&o, &err);
	assert_non_null(conf);
	side = dial(&s, conf, NULL);
	assert_non_null(side.s);
	struct tls_info info;
	tls_info(side.s, &info);
	assert_string_equal(info.protocol, "TLSv1.2");
	tls_side_read(&side);
	say(&s, "hello\n");
	WAIT_FOR(side.got.n == 6);
	hang_up(&side);
	tls_conf_free(conf);
	stop(&s);
}

/* What a server may insist on: another group costs a HelloRetryRequest, another suite nothing. */
static void what_servers_insist_on(void **state)
{
	(void)state;
	static const struct {
		const char *option, *value, *cipher;
	} cases[] = {
		{"-groups", "P-384", "TLS1-3-AES-128-GCM-SHA256"},
		{"-groups", "P-256", "TLS1-3-AES-128-GCM-SHA256"},
		{"-ciphersuites", "TLS_AES_256_GCM_SHA384", "TLS1-3-AES-256-GCM-SHA384"},
		{"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "TLS1-3-CHACHA20-POLY1305-SHA256"},
		{"-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
		 "TLS1-3-AES-128-GCM-SHA256"},
	};
	for (size_t i = 0; i < countof(cases); i++) {
		struct server s = start_with("-tls1_3", cases[i].option, cases[i].value);
		struct tls_side side = dial(&s, world.client, NULL);
		if (!side.s)
			fail_msg("%s: %s", cases[i].value, side.err.text);
		struct tls_info info;
		tls_info(side.s, &info);
		assert_string_equal(info.cipher, cases[i].cipher);
		hang_up(&side);
		stop(&s);
	}
	struct server s = start_with("-tls1_3", "-groups", "P-521");
	struct tls_side side = dial(&s, world.client, NULL);
	assert_null(side.s);
	assert_int_equal(side.err.kind, ERR_TLS_ALERT);
	assert_string_equal(side.err.text, "the service refused with alert handshake_failure (40)");
	hang_up(&side);
	stop(&s);
}

/*
 * Keys of other kinds: what they sign the handshake with is taken, in every form that TLS 1.3 has for them.
 */
static void other_keys(void **state)
{
	(void)state;
	static const struct {
		const char *make, *sigalgs;
	} cases[] = {
		{"rsa:2048", "RSA-PSS+SHA256"},
		{"rsa:2048", "RSA-PSS+SHA512"},
		{"ec -pkeyopt ec_paramgen_curve:P-384", "ECDSA+SHA384"},
		{"ec -pkeyopt ec_paramgen_curve:P-521", "ECDSA+SHA512"},
	};
	struct tls_options o = {.no_verify = true};
	struct error err;
	struct tls_conf *conf = tls_conf_new(&o, &err);
	assert_non_null(conf);
	for (size_t i = 0; i < countof(cases); i++) {
		char command[512];
		snprintf(command, sizeof command,
			 "openssl req -x509 -nodes -subj /CN=x -newkey %s -keyout %s -out %s 2>/dev/null",
			 cases[i].make, key_path, cert_path);
		assert_int_equal(system(command), 0);
		struct server s = start_with("-tls1_3", "-sigalgs", cases[i].sigalgs);
		struct tls_side side = dial(&s, conf, NULL);
		if (!side.s)
			fail_msg("%s: %s", cases[i].make, side.err.text);
		hang_up(&side);
		stop(&s);
	}
	tls_conf_free(conf);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_then_key_update), cmocka_unit_test(both_tickets_are_resumed),
		cmocka_unit_test(old_protocol),		cmocka_unit_test(what_servers_insist_on),
		cmocka_unit_test(other_keys), /* the last: it overwrites the certificate */
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

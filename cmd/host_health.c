#include "host_health.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/socket.h"
#include "proxy/settings.h"

#define PATIENCE_S 5	     /* for each step: who asks runs every few seconds and must end */
#define ANSWER_MAX (1 << 16) /* of our own making, and small */

/* Where to dial what listens there: "any" is reached over loopback. */
static bool dial_address(const struct settings *s, struct sockaddr_any *to, struct error *err)
{
	struct address a;
	if (!address_parse(s->host_proxy.listen, &a, err))
		return false;
	if (a.kind == ADDRESS_TCP && !a.port)
		return error_set(err, ERR_CONFIG, "port 0 is any free one: say which with --port");
	if (a.kind == ADDRESS_TCP &&
	    (!a.host[0] || strcmp(a.host, "0.0.0.0") == 0 || strcmp(a.host, "localhost") == 0))
		strcpy(a.host, "127.0.0.1");
	else if (a.kind == ADDRESS_TCP && strcmp(a.host, "::") == 0)
		strcpy(a.host, "::1");
	return socket_address(&a, false, to) ||
	       error_set(err, ERR_CONFIG, "%s: a name, where an address is needed", a.text);
}

static bool failed(struct error *err, const char *what)
{
	if (errno == EAGAIN || errno == EINPROGRESS)
		return error_set(err, ERR_TIMEOUT, "%s: no answer within %d s", what, PATIENCE_S);
	return error_errno(err, errno, "%s", what);
}

/* The whole answer: it ends with the connection. */
static bool ask(int fd, const struct sockaddr_any *to, struct buf *answer, struct error *err)
{
	static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	char piece[4096];
	ssize_t n;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
		return failed(err, "socket");
	if (connect(fd, &to->sa, to->len) != 0)
		return failed(err, "connect");
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
		return failed(err, "send");
	while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
		if (!buf_add(answer, piece, (size_t)n))
			return error_set(err, ERR_PROTOCOL, "more than %d bytes of answer", ANSWER_MAX);
	return n == 0 || failed(err, "receive");
}

/* Prints the body; the status decides. */
static bool judge(const struct buf *answer, struct error *err)
{
	struct span text = buf_span(answer);
	const char *body = memmem(text.p, text.n, "\r\n\r\n", 4);
	if (!span_starts(text, SPAN("HTTP/1.1 ")) || !body)
		return error_set(err, ERR_PROTOCOL, "what listens there does not answer in HTTP");
	body += 4;
	printf("%.*s\n", (int)(text.p + text.n - body), body);
	return span_starts(text, SPAN("HTTP/1.1 200 ")) ||
	       error_set(err, ERR_UNAVAILABLE, "the host says that it is not well");
}

static bool check(const struct settings *s, struct error *err)
{
	struct sockaddr_any to;
	struct buf answer;
	if (!dial_address(s, &to, err))
		return false;
	int fd = socket(to.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed(err, "socket");
	buf_init(&answer, ANSWER_MAX);
	bool ok = ask(fd, &to, &answer, err) && judge(&answer, err);
	buf_free(&answer);
	close(fd);
	return ok;
}

int host_health(int argc, char **argv)
{
	struct settings s;
	struct error err;
	int status = 0;
	enum settings_outcome outcome = settings_load(argc, argv, CMD_HOST, &s, &err);
	if (outcome == SETTINGS_ERROR)
		status = 2;
	else if (outcome == SETTINGS_RUN && !check(&s, &err))
		status = 1;
	if (status)
		fprintf(stderr, "nitroproxy host --health: %s\n", err.text);
	settings_free(&s);
	return status;
}

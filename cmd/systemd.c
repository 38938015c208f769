#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/span.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

void systemd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@') /* the abstract namespace */
		to.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

/* The variable as a number; 0 when it is none. */
static uint64_t number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	return *end || errno ? 0 : n;
}

uint64_t systemd_watchdog_ms(void)
{
	uint64_t us = number_of("WATCHDOG_USEC"), pid = number_of("WATCHDOG_PID");
	return pid && pid != (uint64_t)getpid() ? 0 : us / 1000;
}

/* systemd itself names a socket after its unit, or "unknown". */
static bool is_name(struct span s)
{
	return !span_is(s, SPAN("unknown")) && !(s.n > 7 && span_is(span_from(s, s.n - 7), SPAN(".socket")));
}

void systemd_sockets(struct systemd_sockets *s)
{
	uint64_t count = number_of("LISTEN_FDS");
	const char *text = getenv("LISTEN_FDNAMES");
	struct span names = text ? span_of(text) : (struct span){NULL, 0}, name;
	*s = (struct systemd_sockets){0};
	if (number_of("LISTEN_PID") != (uint64_t)getpid())
		count = 0;
	for (; s->count < count && s->count < SYSTEMD_SOCKETS; s->count++) {
		int fd = FIRST_FD + (int)s->count;
		s->at[s->count].fd = fd;
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		if (span_cut(&names, ':', &name) && name.n < sizeof s->at[0].name && is_name(name))
			memcpy(s->at[s->count].name, name.p, name.n);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static int take(struct systemd_sockets *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++) {
		int fd = s->at[i].fd;
		if (fd < 0 || strcmp(s->at[i].name, name) != 0)
			continue;
		s->at[i].fd = -1;
		return fd;
	}
	return -1;
}

int systemd_socket_take(struct systemd_sockets *s, const char *name)
{
	int fd = take(s, name);
	return fd >= 0 ? fd : take(s, "");
}

void systemd_sockets_close(struct systemd_sockets *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->at[i].fd >= 0)
			close(s->at[i].fd);
	s->count = 0;
}

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vsockd.h"

struct guest guests[GUESTS_MAX];
unsigned guest_count;

static int epoll;
static bool verbose;
static volatile sig_atomic_t over;

void say(const char *fmt, ...)
{
	va_list args;
	if (!verbose)
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- what epoll watches ---- */

static void control(struct source *s, int op)
{
	struct epoll_event e = {.events = s->events, .data.ptr = s};
	if (epoll_ctl(epoll, op, s->fd, &e) != 0)
		die("epoll_ctl");
}

/*
 * epoll tells of a hang-up even to those who ask for nothing: who asks for nothing is taken out, so that what
 * a closed socket still holds waits there until the guest has room for it.
 */
void source_set(struct source *s, uint32_t events)
{
	uint32_t before = s->events;
	if (before == events)
		return;
	s->events = events;
	control(s, !before ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL);
}

void source_add(struct source *s, int fd, uint32_t events, void (*fn)(struct source *s, uint32_t events))
{
	*s = (struct source){fd, 0, fn};
	source_set(s, events);
}

void source_close(struct source *s)
{
	if (s->fd >= 0) {
		source_set(s, 0);
		close(s->fd);
	}
	s->fd = -1;
}

int unix_listener(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || strlen(path) >= sizeof at.sun_path)
		die(path);
	strcpy(at.sun_path, path);
	unlink(path);
	if (bind(fd, (const struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 1024) != 0)
		die(path);
	return fd;
}

/* ---- arguments ---- */

static _Noreturn void usage(void)
{
	fputs("usage: vsockd [-v] --guest cid=N,socket=PATH[,uds=PATH] ..\n", stderr);
	exit(2);
}

static void parse_guest(char *text)
{
	char *rest = text, *item;
	if (guest_count == GUESTS_MAX)
		usage();
	struct guest *g = &guests[guest_count++];
	while ((item = strsep(&rest, ","))) {
		if (strncmp(item, "cid=", 4) == 0)
			g->cid = strtoull(item + 4, NULL, 10);
		else if (strncmp(item, "socket=", 7) == 0)
			g->control_path = item + 7;
		else if (strncmp(item, "uds=", 4) == 0)
			g->uds = item + 4;
		else
			usage();
	}
	if (!g->cid || !g->control_path)
		usage();
}

static void on_signal(int number)
{
	(void)number;
	over = 1;
}

static void turn(void)
{
	struct epoll_event event[64];
	int n = epoll_wait(epoll, event, 64, -1);
	for (int i = 0; i < n; i++) {
		struct source *s = event[i].data.ptr;
		if (s->fd >= 0) /* an event before this one may have closed it */
			s->fn(s, event[i].events);
	}
	for (unsigned i = 0; i < guest_count; i++) {
		guest_deliver(&guests[i]);
		conn_refresh_all(&guests[i]);
	}
}

int main(int argc, char **argv)
{
	epoll = epoll_create1(EPOLL_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0)
			verbose = true;
		else if (strcmp(argv[i], "--guest") == 0 && i + 1 < argc)
			parse_guest(argv[++i]);
		else
			usage();
	}
	if (!guest_count)
		usage();
	for (unsigned i = 0; i < guest_count; i++)
		guest_start(&guests[i]);
	while (!over)
		turn();
	for (unsigned i = 0; i < guest_count; i++) {
		control_reset(&guests[i]);
		conn_refresh_all(&guests[i]);
	}
	return 0;
}

#include "net/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

/* ---- unix sockets that are there already ---- */

static bool answered(const struct sockaddr_any *to)
{
	int fd = socket_open(AF_UNIX, NULL);
	if (fd < 0)
		return true; /* not known to be dead */
	bool dead = connect(fd, &to->sa, to->len) != 0 && errno == ECONNREFUSED;
	close(fd);
	return !dead;
}

static bool clear_stale(const struct sockaddr_any *self, struct error *err)
{
	struct stat st;
	const char *path = self->un.sun_path;
	if (lstat(path, &st) != 0)
		return true;
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, ERR_CONFIG, "%s exists and is no socket", path);
	if (st.st_uid != geteuid())
		return error_set(err, ERR_CONFIG, "%s is another user's socket", path);
	if (answered(self))
		return error_set(err, ERR_CONFIG, "%s is in use by another process", path);
	unlink(path);
	return true;
}

/* ---- life ---- */

static void name_it(struct listening *li, const struct address *a, const struct sockaddr_any *self)
{
	char ip[INET6_ADDRSTRLEN];
	if (a->kind == ADDRESS_TCP && self->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &self->v4.sin_addr, ip, sizeof ip);
		snprintf(li->name, sizeof li->name, "tcp:%s:%u", ip, ntohs(self->v4.sin_port));
	} else if (a->kind == ADDRESS_TCP) {
		inet_ntop(AF_INET6, &self->v6.sin6_addr, ip, sizeof ip);
		snprintf(li->name, sizeof li->name, "tcp:[%s]:%u", ip, ntohs(self->v6.sin6_port));
	} else {
		snprintf(li->name, sizeof li->name, "%s", a->text);
	}
}

/* A listening socket on self; -1 with err. */
static int open_listening(const struct sockaddr_any *self, struct error *err)
{
	int on = 1, family = self->sa.sa_family;
	if (family == AF_UNIX && !clear_stale(self, err))
		return -1;
	int fd = socket_open(family, err);
	if (fd < 0)
		return -1;
	if (family == AF_INET || family == AF_INET6)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	mode_t old = umask(0177);
	int rc = bind(fd, &self->sa, self->len);
	umask(old);
	if (rc == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error_errno(err, errno, "bind");
	close(fd);
	return -1;
}

bool listening_open(struct listening *li, const struct address *a, struct error *err)
{
	struct sockaddr_any self;
	struct stat st;
	*li = (struct listening){.fd = -1};
	if (!socket_address(a, true, &self))
		return error_set(err, ERR_CONFIG, "cannot listen on %s: give an IP address, not a name",
				 a->text);
	li->fd = open_listening(&self, err);
	if (li->fd < 0)
		return error_wrap(err, "cannot listen on %s", a->text);
	if (self.sa.sa_family == AF_UNIX && lstat(self.un.sun_path, &st) == 0) {
		li->dev = st.st_dev;
		li->ino = st.st_ino;
	}
	getsockname(li->fd, &self.sa, &self.len);
	name_it(li, a, &self);
	return true;
}

void listening_adopt(struct listening *li, int fd, const char *name)
{
	*li = (struct listening){.fd = fd};
	snprintf(li->name, sizeof li->name, "%s", name);
}

void listening_close(struct listening *li)
{
	struct sockaddr_any self = {.len = sizeof self.un};
	struct stat st;
	if (li->fd < 0)
		return;
	bool known = li->ino && getsockname(li->fd, &self.sa, &self.len) == 0;
	close(li->fd);
	li->fd = -1;
	if (known && lstat(self.un.sun_path, &st) == 0 && st.st_dev == li->dev && st.st_ino == li->ino)
		unlink(self.un.sun_path);
}

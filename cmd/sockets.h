/* The sockets that a role listens on: from systemd where it gave one, else opened here. */
#ifndef CMD_SOCKETS_H
#define CMD_SOCKETS_H

#include "net/listening.h"
#include "proxy/settings.h"
#include "systemd.h"

#define SOCKETS_MAX 4

struct sockets {
	struct systemd_sockets from_systemd;
	struct {
		char name[16]; /* "http": what the role calls it */
		struct listening socket;
	} at[SOCKETS_MAX]; /* opened by sockets_open_all */
	size_t count;
};

void sockets_init(struct sockets *s);
/*
 * The one that systemd gave under that FileDescriptorName; or the first it gave without a name of its own;
 * else a new one on `address` (as in the settings). Logs where it listens.
 */
bool sockets_open(struct sockets *s, const char *name, const char *address, struct listening *out,
		  struct error *err);
/* All that the role of these settings asks for, before it is there to ask. */
bool sockets_open_all(struct sockets *s, const struct settings *settings, struct error *err);
/* One of these for a worker: the same socket, but who opened it keeps it, and unlinks it. */
void sockets_borrow(const struct sockets *s, const char *name, struct listening *out);
/* No more connections are to come. */
void sockets_close_all(struct sockets *s);
/* In a worker, or at the end: what systemd gave and nobody took. */
void sockets_free(struct sockets *s);

#endif

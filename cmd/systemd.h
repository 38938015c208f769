/*
 * systemd's two protocols, without libsystemd: messages to the manager (sd_notify(3)) and sockets
 * from it (sd_listen_fds(3)). Without systemd everything here does nothing.
 */
#ifndef CMD_SYSTEMD_H
#define CMD_SYSTEMD_H

#include <stddef.h>
#include <stdint.h>

#define SYSTEMD_SOCKETS 8

struct systemd_sockets {
	struct {
		int fd;	       /* -1: taken */
		char name[64]; /* FileDescriptorName; "" when it was not set */
	} at[SYSTEMD_SOCKETS];
	size_t count;
};

/* "READY=1", "STOPPING=1", "WATCHDOG=1". */
void systemd_notify(const char *state);
/* How often the manager wants to hear WATCHDOG=1 at least; 0: never. */
uint64_t systemd_watchdog_ms(void);

/*
 * The sockets meant for this process; the environment variables are removed, for children must not see them.
 */
void systemd_sockets(struct systemd_sockets *s);
/* The one of that name, else the first without a name; -1: none. It is the caller's. */
int systemd_socket_take(struct systemd_sockets *s, const char *name);
/* Those that nobody took. */
void systemd_sockets_close(struct systemd_sockets *s);

#endif

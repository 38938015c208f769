/*
 * A listening socket, as long as nobody accepts from it yet: what net/listener.h is made from, and what a
 * process opens that leaves the accepting to others.
 */
#ifndef NET_LISTENING_H
#define NET_LISTENING_H

#include <sys/types.h>

#include "net/address.h"
#include "net/socket.h"

struct listening {
	int fd;			 /* -1: closed */
	char name[ADDRESS_TEXT]; /* "tcp:127.0.0.1:8080": with the port that the kernel chose when 0 was asked
				    for */
	dev_t dev;		 /* of the unix socket that was made, to unlink no other; */
	ino_t ino;		 /* 0: none is unlinked */
};

/*
 * Binds and listens. A unix socket is made with mode 0600; one that is left over from a process
 * that died is replaced if it is ours, one that somebody answers on is an error.
 */
bool listening_open(struct listening *li, const struct address *a, struct error *err);
/* One that another has opened: systemd (sd_listen_fds(3)), or the process that we were forked from. Taken. */
void listening_adopt(struct listening *li, int fd, const char *name);
/* And unlinks what listening_open has made. */
void listening_close(struct listening *li);

#endif

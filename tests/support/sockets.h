/* Real sockets for tests: joined pairs, and addresses on which nobody answers. */
#ifndef TESTS_SOCKETS_H
#define TESTS_SOCKETS_H

#include "net/socket.h"
#include "net/stream.h"

/* Both ends as streams; family AF_UNIX or AF_INET (over 127.0.0.1). */
void socket_streams(struct loop *l, int family, struct stream **a, struct stream **b);
/* One end as a stream, the other as a blocking descriptor. */
struct stream *socket_stream(struct loop *l, int family, int *other);

/* A listening TCP socket on 127.0.0.1 with a port of the kernel's; its address in *at. */
int socket_listening(struct sockaddr_any *at, int backlog);
unsigned socket_port(const struct sockaddr_any *at);
/*
 * An address where connecting neither works nor fails: its queue is full and nobody accepts. fds[2]
 * are to be closed when it is no longer needed.
 */
void socket_black_hole(struct sockaddr_any *at, int fds[2]);
/* An address on 127.0.0.1 that refuses. */
void socket_refusing(struct sockaddr_any *at);

/* Pipes that this process holds, in descriptors: what splices, or may soon. */
size_t pipes_open(void);

#endif

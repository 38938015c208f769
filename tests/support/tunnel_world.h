/* The tunnel role as main() would start it, and enclaves that ask it; what it dials are the test's real sockets. */
#ifndef TESTS_TUNNEL_WORLD_H
#define TESTS_TUNNEL_WORLD_H

#include "proxy/tunnel.h"

struct tunnel_world {
	struct loop *loop;
	struct settings settings;
	struct crew *crew;
	struct tunnel *tunnel; /* owned; NULL: the test has freed it */
	bool drained;	       /* for the test to say */
};

/* args: what stands behind `tunnel` on the command line, then NULL. */
struct tunnel_world *tunnel_world_new(const char *const *args);
void tunnel_world_free(struct tunnel_world *t);

#define TUNNEL_WORLD(...) tunnel_world_new((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define LOOPBACK	  "--allow-cidr", "127.0.0.0/8"

struct tunnel_enclave {
	struct stream *s;   /* owned */
	struct buf out, in; /* in: all that came */
	bool written, ended, failed;
};

/* One on a memory stream that the tunnel has accepted. */
struct tunnel_enclave *tunnel_enclave_new(struct tunnel_world *t);
/* One on a stream of the test's own, which it takes. */
struct tunnel_enclave *tunnel_enclave_over(struct stream *near);
void tunnel_enclave_free(struct tunnel_enclave *e);

/* Writes what is in out. */
void tunnel_enclave_send(struct tunnel_enclave *e);
/* A new one that asks for a connection. */
struct tunnel_enclave *tunnel_enclave_asks(struct tunnel_world *t, const char *host, unsigned port);
/* An answer has come; and this stands in it. */
bool tunnel_enclave_answered(const struct tunnel_enclave *e);
void tunnel_enclave_assert_answer(const struct tunnel_enclave *e, const char *key, const char *value);

#endif

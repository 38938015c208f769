/*
 * A TLS client and a TLS server on the two ends of a memory stream, with certificates
 * made on the spot: what tests of anything over TLS start from.
 */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include "tls/cert.h"
#include "tls/tls_stream.h"

#define PAIR_HOST "service.test"

/* A CA written to a temporary file, and server settings with a certificate under it for PAIR_HOST. */
struct tls_world {
	struct cert_ca *ca;
	char ca_path[64];
	struct buf chain, key;
	struct tls_conf *server, *client;
};

void tls_world_init(struct tls_world *w, const struct tls_options *client, const struct tls_options *server);
void tls_world_free(struct tls_world *w);

/* One side: what has come of its start, and of what it reads. */
struct tls_side {
	struct tls *starting;
	struct stream *s;
	bool failed, ended, written;
	struct error err; /* of the start, or of reading or writing */
	struct buf got;
	unsigned reads;
};

struct tls_pair {
	struct loop *loop;
	struct stream *lower_client, *lower_server; /* inside of the streams: for mem_cut and the like */
	struct tls_side client, server;
};

void tls_pair_start(struct tls_pair *p, struct loop *l, struct tls_world *w, size_t capacity,
		    const struct tls_start *client_extra);
/* Steps until nothing moves any more. */
void tls_pair_settle(struct tls_pair *p);
void tls_pair_free(struct tls_pair *p);

/* Reads all that comes, to the end or an error. */
void tls_side_read(struct tls_side *side);
void tls_side_write(struct tls_side *side, struct span bytes);
void tls_side_shutdown(struct tls_side *side);

#endif

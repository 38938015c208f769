/*
 * A local end of the attested channel: plain connections in, TLS out that ends at a key which a document
 * vouches for.
 *
 *	accept --> CHANNEL --> key known? --no--> ASKING --> verdict --> RELAYING --> over
 *	              |             `--yes--------------------------------^  |
 *	              `--- a 502 that says why, and nothing of the client's is sent ---'
 *
 * Each connection's TLS handshake proves that its other end has the key. A key that a document has vouched
 * for is believed for VERIFY_FORWARD_BELIEF_S; then, and for a key not seen before (the enclave makes new
 * ones from time to time), a new document is asked for over the very connection that is in question.
 */
#ifndef CMD_VERIFY_FORWARD_H
#define CMD_VERIFY_FORWARD_H

#include "verify_channel.h"
#include "verify_judge.h"

#define VERIFY_FORWARD_BELIEF_S 600

/* Until SIGTERM or SIGINT. False: it could not begin. */
bool verify_forward(const struct verify_args *args, const struct target *to, struct error *err);

#endif

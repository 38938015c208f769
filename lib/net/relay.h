/*
 * Two streams joined: what comes out of one goes into the other, both ways, until both have ended.
 *
 *	        read            written
 *	FLOWING -----> WRITING ---------> FLOWING          one block, or none while it waits
 *	   | ^            | bulk, two sockets
 *	   | |   quiet    v
 *	   | +---------- SPLICING                          a pipe in the kernel, net/splice.h
 *	   | end          | end
 *	   v              v
 *	 ENDING <---------+   the other stream is shut down, its own direction goes on
 *
 * A failed read breaks the whole off. A failed write ends its direction only: whoever takes no more may
 * still have something to say (an answer to a request that was too long). What was meant for him is swallowed
 * meanwhile: who cannot get rid of it might not come to hear the answer.
 *
 * A side that was not given the other one's end is aborted (stream_abort): it has not got all there was.
 */
#ifndef NET_RELAY_H
#define NET_RELAY_H

#include "net/splice.h"
#include "net/stream.h"

struct relay;

struct relay_options {
	uint64_t idle_ms;	   /* without a byte in either direction: ERR_TIMEOUT */
	struct splice_pool *pipes; /* borrowed; NULL: never splices */
};

enum relay_side { RELAY_NEITHER, RELAY_A, RELAY_B };

struct relay_result {
	uint64_t a_to_b, b_to_a; /* bytes handed on */
	const struct error *err; /* NULL: both directions ended by themselves; else the first failure.. */
	enum relay_side side;	 /* ..and who failed: neither, when it is that nothing came */
};

typedef void relay_fn(void *arg, const struct relay_result *result);

/* Takes both streams and closes them. One callback, from the loop; none after relay_cancel. */
struct relay *relay_start(struct stream *a, struct stream *b, const struct relay_options *options,
			  relay_fn *fn, void *arg);
void relay_cancel(struct relay *r);

/* From now on it ends after idle_ms without a byte. */
void relay_set_idle(struct relay *r, uint64_t idle_ms);

/* So far. */
void relay_bytes(const struct relay *r, uint64_t *a_to_b, uint64_t *b_to_a);

#endif

/* A fetch between its files: fetch.c sends and receives, fetch_connect.c opens the way with CONNECT. */
#ifndef DEMO_FETCH_IMPL_H
#define DEMO_FETCH_IMPL_H

#include "demo/fetch.h"
#include "http/client_conn.h"
#include "http/reader.h"
#include "net/dial.h"
#include "tls/tls_stream.h"

#define FETCH_AGENT "nitroproxy-demo/" NP_VERSION

/*
 *	DIALLING --> [TUNNELLING: CONNECT --> SECURING] --> EXCHANGING --> gone
 *	   `--- a kept connection is there ------------------^
 */
struct fetch {
	struct fetcher *fetcher;
	struct fetch_request request;
	struct url url;
	struct timer timer;
	struct dial *dial;
	struct stream *stream; /* owned while TUNNELLING */
	struct reader *reader; /* owned; of the answer to CONNECT */
	struct buf connect;    /* its bytes */
	struct tls *tls;
	struct client_conn *conn; /* owned while EXCHANGING */
	struct leg *leg;	  /* out while EXCHANGING */
	struct head head;
	struct buf text; /* what head points at */
	char length[24];
	struct part part;
	struct block *block; /* being sent */
	uint64_t sent;	     /* of noise */
	bool all_sent, all_read, keep;
	struct hash_stream *hash;
	struct fetch_result result;
	struct task done;
	fetch_fn *fn;
	void *arg;
};

/* Ends it, once; the callback comes from the loop. */
void fetch_finish(struct fetch *x);
void fetch_fail(struct fetch *x, const struct error *err);
/* What is to be known of a part of the answer; its data are taken. */
void fetch_take(struct fetch *x, struct part *part);
/* The stream leads to the service, or to the proxy that is to carry the request. Takes it. */
void fetch_use(struct fetch *x, struct stream *s);

/* x->stream leads to the proxy. Ends in fetch_use, or with the proxy's refusal in fetch_finish. */
void fetch_connect(struct fetch *x);

#endif

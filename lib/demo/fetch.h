/*
 * A client: one request through the proxy, in any of the forms it takes, and what came of it, timed.
 *
 *	dial --> [CONNECT --> TLS of our own] --> request, body --> response, body
 */
#ifndef DEMO_FETCH_H
#define DEMO_FETCH_H

#include "base/buf.h"
#include "base/loop.h"
#include "demo/fetch_facts.h"
#include "http/head.h"
#include "http/parse.h"
#include "net/address.h"
#include "tls/tls_conf.h"

struct client_conn;

/* What all fetches have in common. Owned by whoever sets it up; outlives them. */
struct fetcher {
	struct loop *loop; /* borrowed */
	struct address proxy;
	const char *authority;	    /* of the proxy, for Host; borrowed */
	const struct tls_conf *tls; /* for FETCH_CONNECT; borrowed */
	struct parse_limits limits;
	struct client_conn *idle; /* owned: kept for the next fetch with keep set */
};

enum fetch_form {
	FETCH_PATH,	/* GET /https://host/path */
	FETCH_FIELD,	/* GET / with X-Target-URL */
	FETCH_ABSOLUTE, /* GET https://host/path */
	FETCH_CONNECT,	/* CONNECT host:port, then TLS that ends here */
	FETCH_SELF	/* GET /path of the proxy itself */
};

/* Everything is borrowed until the callback. */
struct fetch_request {
	enum fetch_form form;
	const char *method, *url; /* FETCH_SELF: url is a path */
	const struct field *fields;
	size_t field_count;
	struct span body;     /* at most BLOCK_SIZE; p NULL: none, or noise */
	uint64_t noise, seed; /* a body of so many bytes of noise */
	bool chunked;	      /* the body goes out without its length being told */
	bool keep;	      /* on the kept connection, which is made if need be and kept afterwards */
	uint64_t timeout_ms;  /* for all of it */
};

#define FETCH_BODY_MAX (256 * 1024) /* of a body is kept; all of it is hashed */

struct fetch_result {
	bool failed; /* there is no whole answer; err says why. hop client: before the proxy was reached */
	struct error err;
	int status;
	struct fetch_facts facts;
	struct buf body;
	uint64_t bytes;
	uint8_t sha256[32];
	bool reused; /* went over a connection that had carried others */
	/* Monotonic microseconds; 0: did not come to it. tunnelled and secured only with FETCH_CONNECT. */
	uint64_t started, connected, tunnelled, secured, answered, done;
};

struct fetch;

/* result is valid during the call. */
typedef void fetch_fn(void *arg, const struct fetch_result *result);

/* One callback, from the loop; none after fetch_cancel. */
struct fetch *fetch_start(struct fetcher *f, const struct fetch_request *request, fetch_fn *fn, void *arg);
void fetch_cancel(struct fetch *x);

/* Closes the connection that is kept. */
void fetcher_end(struct fetcher *f);

/* ---- what URLs are made of ---- */

struct url {
	char host[256]; /* without brackets */
	char authority[272];
	uint16_t port;
	const char *path; /* in the text it was parsed from, or "/" */
};

bool url_parse(const char *text, struct url *u, struct error *err);

#endif

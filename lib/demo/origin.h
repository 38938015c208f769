/*
 * A service to send checks to: HTTPS on our own server, with a certificate made for the run. It offers
 * what people know from httpbin, jsonplaceholder and GitHub's API:
 *
 *	/get /post /put /anything   what was received, as JSON: args, headers, data, json, bytes, sha256 ..
 *	/headers                    the request's fields
 *	/delay/SECONDS              the same as /anything, later; up to 10, with a fraction if you like
 *	/status/CODE                an empty answer, 200 to 599
 *	/bytes/N?seed=S             noise (demo/noise.h), N bytes with a Content-Length
 *	/stream/N                   N lines of JSON, chunked
 *	/posts/N                    {"id": N, "userId": .., "title": .., "body": ..}
 *	/users/NAME                 {"login": NAME, "id": .., "type": "User"}
 *
 * Bodies are streamed both ways, a block at a time: what a reader does not take is not made.
 * Requests are read to their end before they are answered.
 */
#ifndef DEMO_ORIGIN_H
#define DEMO_ORIGIN_H

#include "base/loop.h"
#include "tls/cert.h"

#define ORIGIN_SERVER "nitroproxy-demo" /* its Server field, by which the checks know it */

struct origin_options {
	const char *address;	  /* where to listen, "tcp:127.0.0.1:0" */
	const char *const *names; /* of the certificate; NULL-terminated */
	struct cert_ca *ca;	  /* borrowed for the call */
};

struct origin;

struct origin *origin_start(struct loop *l, const struct origin_options *options, struct error *err);
void origin_stop(struct origin *o); /* what still runs is cut; NULL is fine */

const char *origin_address(const struct origin *o); /* "tcp:127.0.0.1:41234" */
unsigned origin_port(const struct origin *o);
uint64_t origin_requests(const struct origin *o); /* heads of requests that have come so far */

#endif

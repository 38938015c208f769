/*
 * Our own answers when something went wrong: status, Proxy-Status (RFC 9209) for programs
 * on the way, a small problem document (RFC 9457) for whoever asked.
 *
 *	HTTP/1.1 502 Bad Gateway
 *	Content-Type: application/problem+json
 *	Content-Length: 138
 *	Cache-Control: no-store
 *	Proxy-Status: nitroproxy-host; error=tls_certificate_error; details="service: the certificate has expired"
 *
 *	{"type":"about:blank","title":"Bad Gateway","status":502,
 *	 "detail":"the certificate has expired","kind":"tls_certificate","hop":"service"}
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/buf.h"
#include "base/error.h"
#include "http/head.h"

#define REPLY_MAX 2048 /* bytes of a whole answer */

struct reply_options {
	const char *agent;    /* "nitroproxy-host": a token */
	bool close;	      /* say that the connection ends */
	bool head_only;	      /* the request was a HEAD: the length is told, the body is not there */
	unsigned retry_after; /* seconds, for 429 and 503; 0: 1 */
};

/* Points into itself: it is not to be copied. Owns nothing. */
struct reply {
	struct head head; /* the caller may add to it */
	struct span body;
	char length[12], retry_after[12], proxy_status[600], text[800];
};

void reply_init(struct reply *r, const struct error *err, const struct reply_options *options);

/* The whole answer as bytes, with the connection's end told. out has room for REPLY_MAX. */
void reply_error(struct buf *out, const struct error *err, const char *agent);

/* "Bad Gateway"; "" for a status we never send. */
const char *reply_reason(int status);

#endif

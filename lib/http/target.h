/*
 * Where a request is to go. The same four forms at the host and inside the enclave:
 *
 *	GET /https://host[:port]/path?query     path style; /https:/host/.. when a client merged the slashes
 *	GET /any  X-Target-URL: https://..      the field wins over a path that names no target
 *	GET https://host[:port]/path?query      absolute form (RFC 9112 section 3.2.2)
 *	CONNECT host:port                       authority form (RFC 9112 section 3.2.3)
 *
 * Whatever names two targets, or one that two readers could take for different ones, is
 * ERR_BAD_REQUEST with a sentence that says what to do; a host that is an address in
 * disguise is ERR_ADDRESS_DENIED (net/hostname.h).
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "base/error.h"
#include "http/head.h"
#include "net/hostname.h"

enum target_kind {
	TARGET_SELF,   /* names no other host: for the proxy itself (/health, OPTIONS *). Only path is set */
	TARGET_URL,    /* an http or https URL */
	TARGET_TUNNEL, /* CONNECT: host and port, then raw bytes. path is empty */
};

struct target {
	enum target_kind kind;
	bool https; /* TARGET_URL: else plain http, which the caller may refuse */
	char host[HOSTNAME_MAX];
	enum hostname_type type;
	uint16_t port;
	/*
	 * Path and query as they came, for the next request line: at least "/", or "*" for an OPTIONS
	 * of the whole server. Points into the head, or at joined.
	 */
	struct span path;
	char *joined; /* owned; a path made from a URL with a query and no path, else NULL */
};

/* url_max: bytes that an X-Target-URL may have (else ERR_URL_SIZE). h stays as it is: see hop.h. */
bool target_of(const struct head *h, size_t url_max, struct target *t, struct error *err);
void target_free(struct target *t); /* also after target_of failed */

/* "host", "host:8443", "[::1]:8443": for the Host field and for people. A default port is left out. */
#define TARGET_AUTHORITY_MAX (HOSTNAME_MAX + 8)
void target_authority(const struct target *t, char out[TARGET_AUTHORITY_MAX]);

#endif

/*
 * What belongs to one connection and must not travel on (RFC 9110 section 7.6): the
 * fields taken out of a head before it is sent to the next hop, and Via put in.
 */
#ifndef HTTP_HOP_H
#define HTTP_HOP_H

#include "base/error.h"
#include "http/head.h"

/*
 * Our name in Via: unique to this process, so that a request that comes back is known as ours
 * (RFC 9110 section 7.6.3), and telling nothing else.
 */
struct via {
	char value[2][64]; /* "1.0 name", "1.1 name": by the minor version that was received */
};
/* role: "host", "enclave"; id: random bits of this process. */
void via_init(struct via *via, const char *role, uint64_t id);

/* ERR_LOOP when our own name stands in Via. */
bool hop_check_loop(const struct head *h, const struct via *via, struct error *err);

/*
 * Max-Forwards of OPTIONS and TRACE (RFC 9110 section 7.6.2). *answer: it was 0, and we are the one to
 * answer. Else it is counted down. Fails when it is not a number.
 */
bool hop_max_forwards(struct head *h, bool *answer, struct error *err);

/*
 * Makes h fit for the next hop. Taken out: Connection and what it names; the hop-by-hop fields of
 * RFC 9110 and those that proxies were given since; framing (Transfer-Encoding, which the writer of the
 * next message decides anew, and Content-Length where there is no body to it); X-Target-URL and
 * X-Nitroproxy-Trace.
 * Connection cannot take out a field that carries meaning from end to end, such as Host, Cookie
 * or Content-Length: a client that tries is ignored in that.
 *
 * With h->upgrade the two fields of an upgrade are put back, and only these. Via is added.
 * The spans added point into via, which must outlive h. At most HEAD_SPARE_FIELDS are added.
 */
void hop_clean(struct head *h, const struct via *via);

#endif

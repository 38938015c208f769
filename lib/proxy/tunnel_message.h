/*
 * What enclave and tunnel say to each other before a tunnel's bytes flow:
 *
 *	 0        4               4 + length
 *	 | length | JSON ...      |  raw bytes of the connection, in both directions
 *
 *	length   u32, big-endian, 1..4096, judged before anything is allocated
 *
 *	request  {"host":"example.org","port":443}
 *	         beside these "type": "connect" (the default), or "ping" or "trunk", which have neither host
 *	         nor port, the latter for proxy/trunk_message.h, and "id": 16 hex digits, the exchange's, so that log lines of the processes match, and
 *	         "transport": see below
 *	answer   {"status":"connected"}, and "transport"
 *	         {"status":"error","message":"..","kind":"dns","hop":"service"}, then the tunnel closes
 *	         {"status":"ok","version":"..",..} to a ping, then the tunnel closes
 *
 * "transport" is what its sender's end of this connection is: "vsock", "unix", "tcp". With it the sender
 * promises to half-close and to wait for the other side's end before it closes. If both say the same there is
 * nothing between them that makes a full close of a half one, as hybrid vsock does, and a close without an
 * end is a break (stream_require_end). The enclave does not say it where it closes when it likes: a pooled
 * connection's.
 *
 * Keys that are not known are ignored, so that old and new understand each other; a key that is there
 * twice, or has a value of another type, is an error. The tunnel ends its answers with a newline inside
 * the length: whoever types at it by hand gets a line that can be read.
 *
 * Both readers take their message from the front of a block, in pieces of any size, and leave what is
 * behind it in the block.
 */
#ifndef PROXY_TUNNEL_MESSAGE_H
#define PROXY_TUNNEL_MESSAGE_H

#include "base/block.h"
#include "base/buf.h"
#include "base/error.h"
#include "net/hostname.h"

#define TUNNEL_MESSAGE_MAX 4096
#define TUNNEL_HEADER	   4

struct trunk_hello {
	uint64_t key[2];
	uint32_t strand; /* 0: a trunk; else: a lane for that one */
};

/* The answer. */
struct trunk_offer {
	uint32_t strands; /* at a time */
	uint32_t workers; /* who would each take a trunk; 0: as 1 */
};

/* A message on its way in. */
struct tunnel_text {
	uint8_t header[TUNNEL_HEADER];
	size_t have;   /* bytes, the header's included */
	size_t length; /* of the JSON; 0: not known yet */
	struct buf json;
};

/* ---- the enclave's side ---- */

#define TUNNEL_TRANSPORT_MAX 8

/* host: canonical. id 0: none; transport NULL: likewise. False when out's cap was in the way. */
bool tunnel_request_write(struct buf *out, const char *host, uint16_t port, uint64_t id,
			  const char *transport);
bool tunnel_ping_write(struct buf *out);
bool tunnel_trunk_write(struct buf *out, const struct trunk_hello *hello);

enum tunnel_answer_result { TUNNEL_ANSWER_MORE, TUNNEL_ANSWER_OK, TUNNEL_ANSWER_BAD };

struct tunnel_answer {
	struct tunnel_text in;
	char transport[TUNNEL_TRANSPORT_MAX]; /* "": none was given */
	struct trunk_offer trunk;	      /* 0: likewise */
};

void tunnel_answer_init(struct tunnel_answer *a);
void tunnel_answer_free(struct tunnel_answer *a);
/*
 * OK: connected, or well in answer to a ping. BAD: the tunnel's own error, of the kinds a tunnel can have,
 * hop service or tunnel, its text printable ASCII; or ERR_PROTOCOL for what is no answer. Not to be called
 * again after either.
 */
enum tunnel_answer_result tunnel_answer_feed(struct tunnel_answer *a, struct block *b, struct error *err);
/* After OK: the answer's JSON, well-formed, of at most TUNNEL_MESSAGE_MAX bytes. Valid until free. */
struct span tunnel_answer_text(const struct tunnel_answer *a);

/* ---- the tunnel's side ---- */

enum tunnel_request_result {
	TUNNEL_REQUEST_MORE,
	TUNNEL_REQUEST_CONNECT,
	TUNNEL_REQUEST_PING,
	TUNNEL_REQUEST_TRUNK,
	TUNNEL_REQUEST_BAD
};

struct tunnel_request {
	struct tunnel_text in;
	/* of a CONNECT */
	char host[HOSTNAME_MAX]; /* canonical */
	enum hostname_type host_type;
	uint16_t port;
	uint64_t id;			      /* 0: none was given */
	char transport[TUNNEL_TRANSPORT_MAX]; /* "": likewise */
	/* of a TRUNK */
	struct trunk_hello trunk;
};

void tunnel_request_init(struct tunnel_request *r);
void tunnel_request_free(struct tunnel_request *r);
/* BAD: ERR_PROTOCOL with what is wrong and what is expected; a host that is none: hostname_canonical_bare's
 * kinds. */
enum tunnel_request_result tunnel_request_feed(struct tunnel_request *r, struct block *b, struct error *err);

bool tunnel_connected_write(struct buf *out, const char *transport); /* NULL: none */
bool tunnel_trunk_answer_write(struct buf *out, const struct trunk_offer *offer);
bool tunnel_error_write(struct buf *out, const struct error *err);
/* json: a whole object with "status":"ok". */
bool tunnel_status_write(struct buf *out, struct span json);

#endif

/*
 * Frames between host and enclave:
 *
 *	 0        4      5                5 + length
 *	 | length | type | payload ...    |
 *
 *	length   u32, big-endian, of the payload alone; judged by type before anything is allocated
 *
 *	REQUEST   host -> enclave   u64 exchange id | head     a request's head, as HTTP/1.1 text
 *	RESPONSE  enclave -> host   head                       more than one only behind 1xx
 *	DATA      both              1..65536 bytes of body; of the raw stream behind a 101 or CONNECT's 2xx
 *	END       both              trailers as field lines, or nothing: the message is complete;
 *	                            behind a switch to raw: the end of that direction
 *	ERROR     both              kind LF hop LF text: the exchange broke off; the connection ends
 *	PING      host -> enclave   nothing; between two exchanges
 *	PONG      enclave -> host   JSON: the enclave's state
 *	WATCH     host -> enclave   nothing; from here on the connection carries only
 *	LOG       enclave -> host   whole lines of the enclave's log
 *	METRICS   enclave -> host   all its metrics (proxy/signals.h)
 *	REQUEST_RAW   host -> enclave   a REQUEST, a CONNECT's: its answer may be a RESPONSE_RAW
 *	RESPONSE_RAW  enclave -> host   a RESPONSE, a 2xx's: no frame follows it
 *	TRUNK     both              the connection becomes a trunk (proxy/trunk_message.h)
 *
 * One exchange at a time: the next REQUEST follows the END of the response. A direction's end
 * is a frame, not a half-close, for hybrid vsock makes a full close of that. Where a half-close is
 * one, the host says REQUEST_RAW: then all bytes behind a RESPONSE_RAW, and behind the END of its
 * request, are the tunnel's own, a direction's end is a half-close, and the connection carries
 * nothing else any more. Whoever carries on such a tunnel needs not look at its bytes (net/relay.h).
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum frame_type {
	FRAME_REQUEST = 1,
	FRAME_RESPONSE,
	FRAME_DATA,
	FRAME_END,
	FRAME_ERROR,
	FRAME_PING,
	FRAME_PONG,
	FRAME_WATCH,
	FRAME_LOG,
	FRAME_METRICS,
	FRAME_REQUEST_RAW,
	FRAME_RESPONSE_RAW,
	FRAME_TRUNK
};

#define FRAME_HEADER	  5
#define FRAME_ID	  8
#define FRAME_DATA_MAX	  65536
#define FRAME_ERROR_MAX	  512
#define FRAME_PONG_MAX	  16384
#define FRAME_LOG_MAX	  16384
#define FRAME_METRICS_MAX 65536

#define FRAME_TRUNK_HELLO  20 /* host -> enclave */
#define FRAME_TRUNK_ANSWER 8  /* enclave -> host */

void frame_header(uint8_t out[FRAME_HEADER], enum frame_type type, size_t length);

/* Type known and length within that type's bounds; ERR_PROTOCOL otherwise. */
bool frame_header_parse(const uint8_t in[FRAME_HEADER], enum frame_type *type, size_t *length,
			struct error *err);

void frame_error_write(struct buf *out, const struct error *e);
/* Unknown kinds and hops become ERR_PROTOCOL and HOP_NONE; the text is cleaned of control bytes. */
void frame_error_parse(struct span payload, struct error *e);

#endif

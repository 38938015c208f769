/*
 * How a connection between two of our processes becomes a trunk, which carries a bundle (net/bundle.h), or a lane of
 * one of its strands. Who dials says so first, in the language of whom it has dialled:
 *
 *	frames  (net/frame.h)             TRUNK  key, 16 bytes | strand, u32    answered by  TRUNK  strands, u32 | workers, u32
 *	tunnel  (proxy/tunnel_message.h)  {"type":"trunk","key":"32 hex","strand":7}
 *	                                                                        {"status":"ok","strands":512,"workers":4}
 *
 *	key      random, of the trunk
 *	strand   0: this is a new trunk of that key; else: a lane for that strand of it
 *	strands  how many the trunk may carry at a time
 *	workers  how many there are who each would take a trunk, so that all of them have work; 0: as 1
 *
 * Whoever does not want to, or is too old to understand, answers with an error as it always does, and connections
 * are made one by one. Nothing else is sent before the answer has come.
 */
#ifndef PROXY_TRUNK_MESSAGE_H
#define PROXY_TRUNK_MESSAGE_H

#include "net/frame.h"
#include "proxy/tunnel_message.h"

enum trunk_wire { TRUNK_FRAMES, TRUNK_TUNNEL };

void trunk_hello_write(struct buf *out, enum trunk_wire wire, const struct trunk_hello *h);
/* The payload of a TRUNK frame; it has the length that net/frame.h demands. */
void trunk_hello_read(struct span payload, struct trunk_hello *h);

void trunk_answer_write(struct buf *out, enum trunk_wire wire, const struct trunk_offer *offer);
void trunk_refusal_write(struct buf *out, enum trunk_wire wire, const struct error *err);

enum trunk_answer_result { TRUNK_ANSWER_MORE, TRUNK_ANSWER_OK, TRUNK_ANSWER_REFUSED };

/* An answer on its way in. */
struct trunk_answer {
	enum trunk_wire wire;
	struct tunnel_answer tunnel;
	uint8_t frame[FRAME_HEADER + FRAME_TRUNK_ANSWER];
	size_t have;
	struct trunk_offer offer; /* once it is OK */
};

void trunk_answer_init(struct trunk_answer *a, enum trunk_wire wire);
void trunk_answer_free(struct trunk_answer *a);
/* Takes from the block what belongs to the answer. */
enum trunk_answer_result trunk_answer_feed(struct trunk_answer *a, struct block *b, struct error *err);

#endif

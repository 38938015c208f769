#include "proxy/trunk_message.h"

#include "base/be.h"
#include "base/check.h"

static void put_frame(struct buf *out, enum frame_type type, size_t length)
{
	uint8_t header[FRAME_HEADER];
	frame_header(header, type, length);
	buf_add(out, header, sizeof header);
}

/* ---- the hello ---- */

void trunk_hello_write(struct buf *out, enum trunk_wire wire, const struct trunk_hello *h)
{
	if (wire == TRUNK_TUNNEL) {
		CHECK(tunnel_trunk_write(out, h));
		return;
	}
	put_frame(out, FRAME_TRUNK, FRAME_TRUNK_HELLO);
	buf_u64(out, h->key[0]);
	buf_u64(out, h->key[1]);
	buf_u32(out, h->strand);
}

void trunk_hello_read(struct span payload, struct trunk_hello *h)
{
	CHECK(payload.n == FRAME_TRUNK_HELLO);
	*h = (struct trunk_hello){.key = {be_u64(payload.p), be_u64(payload.p + 8)},
				  .strand = be_u32(payload.p + 16)};
}

/* ---- the answer ---- */

void trunk_answer_write(struct buf *out, enum trunk_wire wire, const struct trunk_offer *offer)
{
	if (wire == TRUNK_TUNNEL) {
		CHECK(tunnel_trunk_answer_write(out, offer));
		return;
	}
	put_frame(out, FRAME_TRUNK, FRAME_TRUNK_ANSWER);
	buf_u32(out, offer->strands);
	buf_u32(out, offer->workers);
}

void trunk_refusal_write(struct buf *out, enum trunk_wire wire, const struct error *err)
{
	if (wire == TRUNK_TUNNEL) {
		CHECK(tunnel_error_write(out, err));
		return;
	}
	struct buf text;
	buf_init(&text, FRAME_ERROR_MAX);
	frame_error_write(&text, err);
	put_frame(out, FRAME_ERROR, text.n);
	buf_add_span(out, buf_span(&text));
	buf_free(&text);
}

void trunk_answer_init(struct trunk_answer *a, enum trunk_wire wire)
{
	*a = (struct trunk_answer){.wire = wire};
	tunnel_answer_init(&a->tunnel);
}

void trunk_answer_free(struct trunk_answer *a)
{
	tunnel_answer_free(&a->tunnel);
}

static enum trunk_answer_result feed_frame(struct trunk_answer *a, struct block *b, struct error *err)
{
	enum frame_type type;
	size_t length, n = sizeof a->frame - a->have;
	n = b->len < n ? b->len : n;
	memcpy(a->frame + a->have, b->data, n);
	block_take(b, n);
	a->have += n;
	if (a->have < FRAME_HEADER)
		return TRUNK_ANSWER_MORE;
	if (!frame_header_parse(a->frame, &type, &length, err))
		return TRUNK_ANSWER_REFUSED;
	if (type != FRAME_TRUNK || length != FRAME_TRUNK_ANSWER) {
		error_set(err, ERR_PROTOCOL, "no trunk is offered");
		return TRUNK_ANSWER_REFUSED;
	}
	if (a->have < sizeof a->frame)
		return TRUNK_ANSWER_MORE;
	a->offer = (struct trunk_offer){.strands = be_u32(a->frame + FRAME_HEADER),
					.workers = be_u32(a->frame + FRAME_HEADER + 4)};
	return TRUNK_ANSWER_OK;
}

enum trunk_answer_result trunk_answer_feed(struct trunk_answer *a, struct block *b, struct error *err)
{
	if (a->wire == TRUNK_FRAMES)
		return feed_frame(a, b, err);
	switch (tunnel_answer_feed(&a->tunnel, b, err)) {
	case TUNNEL_ANSWER_MORE:
		return TRUNK_ANSWER_MORE;
	case TUNNEL_ANSWER_OK:
		a->offer = a->tunnel.trunk;
		return TRUNK_ANSWER_OK;
	case TUNNEL_ANSWER_BAD:
		break;
	}
	return TRUNK_ANSWER_REFUSED;
}

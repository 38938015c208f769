#include <stdlib.h>

#include "base/check.h"
#include "http/body_impl.h"
#include "http/parse_impl.h"

void body_init(struct body *body, const struct head *h, const struct parse_limits *limits)
{
	CHECK(h->framing != BODY_RAW);
	*body = (struct body){.kind = h->kind,
			      .limits = *limits,
			      .framing = h->framing,
			      .left = h->framing == BODY_LENGTH ? h->body_length : 0,
			      .ended = h->framing == BODY_NONE ||
				       (h->framing == BODY_LENGTH && h->body_length == 0)};
	size_t cap = parse_head_max(limits);
	buf_init(&body->raw, cap < BODY_TRAILERS_MAX ? cap : BODY_TRAILERS_MAX);
}

void body_free(struct body *body)
{
	buf_free(&body->raw);
	free(body->trailers);
	body->trailers = NULL;
}

const struct head *body_trailers(const struct body *body)
{
	return body->trailers;
}

/* A block of its own for what is not ours. */
static struct block *split(struct block *b, size_t at)
{
	struct block *behind = block_get(b->pool);
	size_t n = b->len - at;
	if (n > block_free_room(behind))
		behind->data = behind->mem + sizeof behind->mem - n; /* b had no room in front */
	memcpy(behind->data, b->data + at, n);
	behind->len = n;
	return behind;
}

enum body_result body_feed(struct body *body, struct block *b, struct block **behind, struct error *err)
{
	size_t eaten = 0, kept = 0;
	bool ok = true;

	*behind = NULL;
	switch (body->framing) {
	case BODY_NONE:
		break;
	case BODY_LENGTH:
		kept = eaten = body_take(body, b->len);
		body->ended = body->left == 0;
		break;
	case BODY_CHUNKED:
		ok = body_feed_chunked(body, block_span(b), &eaten, b->data, &kept, err);
		break;
	case BODY_CLOSE:
		kept = eaten = b->len;
		break;
	case BODY_RAW:
		CHECK(false);
	}
	if (ok && eaten < b->len)
		*behind = split(b, eaten);
	b->len = kept;
	return !ok ? BODY_BAD : body->ended ? BODY_END : BODY_MORE;
}

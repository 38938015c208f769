/*
 * The first byte chooses the side and how the rest is cut into pieces. A request that is taken is
 * written again and must be read as the same one.
 */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "proxy/tunnel_message.h"

static void round_trip(const struct tunnel_request *r, struct block_pool *pool)
{
	struct tunnel_request again;
	struct buf bytes;
	struct error err;
	buf_init(&bytes, TUNNEL_HEADER + TUNNEL_MESSAGE_MAX);
	const char *transport = *r->transport ? r->transport : NULL;
	CHECK(tunnel_request_write(&bytes, r->host, r->port, r->id, transport));
	struct block *b = block_get(pool);
	memcpy(b->data, bytes.p, bytes.n);
	b->len = bytes.n;
	tunnel_request_init(&again);
	CHECK(tunnel_request_feed(&again, b, &err) == TUNNEL_REQUEST_CONNECT && b->len == 0);
	CHECK(strcmp(again.host, r->host) == 0 && again.port == r->port && again.id == r->id);
	CHECK(strcmp(again.transport, r->transport) == 0);
	tunnel_request_free(&again);
	block_put(b);
	buf_free(&bytes);
}

/* False: no more is to be fed. */
static bool feed(bool is_request, struct tunnel_request *r, struct tunnel_answer *a, struct block *b,
		 struct block_pool *pool)
{
	struct error err = {0};
	size_t before = b->len;
	if (!is_request) {
		enum tunnel_answer_result result = tunnel_answer_feed(a, b, &err);
		CHECK(b->len <= before && (result != TUNNEL_ANSWER_MORE || b->len == 0));
		CHECK((result == TUNNEL_ANSWER_BAD) == (err.kind != ERR_NONE));
		for (const char *p = err.text; *p; p++)
			CHECK(*p >= ' ' && *p <= '~');
		CHECK(result == TUNNEL_ANSWER_MORE || tunnel_answer_text(a).n <= TUNNEL_MESSAGE_MAX);
		return result == TUNNEL_ANSWER_MORE;
	}
	enum tunnel_request_result result = tunnel_request_feed(r, b, &err);
	CHECK(b->len <= before && (result != TUNNEL_REQUEST_MORE || b->len == 0));
	CHECK((result == TUNNEL_REQUEST_BAD) == (err.kind != ERR_NONE));
	if (result == TUNNEL_REQUEST_CONNECT)
		round_trip(r, pool);
	return result == TUNNEL_REQUEST_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block_pool pool;
	struct tunnel_request r;
	struct tunnel_answer a;
	if (size < 1)
		return 0;
	bool is_request = data[0] & 1, more = true;
	size_t piece = (size_t)(data[0] >> 1) + 1;
	block_pool_init(&pool, 1);
	tunnel_request_init(&r);
	tunnel_answer_init(&a);
	for (size_t at = 1; more && at < size; at += piece) {
		struct block *b = block_get(&pool);
		b->len = size - at < piece ? size - at : piece;
		memcpy(b->data, data + at, b->len);
		more = feed(is_request, &r, &a, b, &pool);
		block_put(b);
	}
	tunnel_request_free(&r);
	tunnel_answer_free(&a);
	block_pool_free(&pool);
	return 0;
}

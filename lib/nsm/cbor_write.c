#include "nsm/cbor.h"

enum { ONE_BYTE = 24 };
enum { FALSE_VALUE = 20, TRUE_VALUE = 21, NULL_VALUE = 22 };

static void put_head(struct buf *out, enum cbor_type type, uint64_t number)
{
	uint8_t head[9];
	unsigned bytes = number < ONE_BYTE	? 0
			 : number <= 0xff	? 1
			 : number <= 0xffff	? 2
			 : number <= UINT32_MAX ? 4
						: 8;
	unsigned info = bytes ? ONE_BYTE + (unsigned)__builtin_ctz(bytes) : (unsigned)number;
	head[0] = (uint8_t)(type << 5 | info);
	for (unsigned i = 0; i < bytes; i++)
		head[1 + i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
	buf_add(out, head, 1 + bytes);
}

void cbor_put_uint(struct buf *out, uint64_t value)
{
	put_head(out, CBOR_UINT, value);
}

void cbor_put_int(struct buf *out, int64_t value)
{
	if (value < 0)
		put_head(out, CBOR_NEGATIVE, (uint64_t)(-1 - value));
	else
		put_head(out, CBOR_UINT, (uint64_t)value);
}

void cbor_put_bytes(struct buf *out, struct span bytes)
{
	if (!bytes.p) {
		cbor_put_null(out);
		return;
	}
	put_head(out, CBOR_BYTES, bytes.n);
	buf_add_span(out, bytes);
}

void cbor_put_text_span(struct buf *out, struct span text)
{
	put_head(out, CBOR_TEXT, text.n);
	buf_add_span(out, text);
}

void cbor_put_text(struct buf *out, const char *text)
{
	cbor_put_text_span(out, span_of(text));
}

void cbor_put_array(struct buf *out, size_t count)
{
	put_head(out, CBOR_ARRAY, count);
}

void cbor_put_map(struct buf *out, size_t pairs)
{
	put_head(out, CBOR_MAP, pairs);
}

void cbor_put_tag(struct buf *out, uint64_t tag)
{
	put_head(out, CBOR_TAG, tag);
}

void cbor_put_bool(struct buf *out, bool value)
{
	put_head(out, CBOR_SIMPLE, value ? TRUE_VALUE : FALSE_VALUE);
}

void cbor_put_null(struct buf *out)
{
	put_head(out, CBOR_SIMPLE, NULL_VALUE);
}

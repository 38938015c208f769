/*
 * What the strict reader accepts has one encoding: read item by item and written again it is the same bytes.
 * What it refuses, the cursor can still walk without leaving the input.
 */
#include "base/check.h"
#include "nsm/cbor.h"

static void copy_item(struct cbor *c, struct buf *out)
{
	uint64_t number;
	int64_t negative;
	size_t count;
	struct span s;
	bool flag;
	switch (cbor_peek(c)) {
	case CBOR_UINT:
		CHECK(cbor_uint(c, &number));
		cbor_put_uint(out, number);
		return;
	case CBOR_NEGATIVE:
		if (cbor_int(c, &negative)) {
			cbor_put_int(out, negative);
			return;
		}
		s = c->rest; /* below int64_t: the cursor has no type for it */
		CHECK(cbor_skip(c));
		buf_add(out, s.p, s.n - c->rest.n);
		return;
	case CBOR_BYTES:
		CHECK(cbor_bytes(c, &s));
		cbor_put_bytes(out, s);
		return;
	case CBOR_TEXT:
		CHECK(cbor_text(c, &s));
		cbor_put_text_span(out, s);
		return;
	case CBOR_ARRAY:
		CHECK(cbor_array(c, &count));
		cbor_put_array(out, count);
		while (count--)
			copy_item(c, out);
		return;
	case CBOR_MAP:
		CHECK(cbor_map(c, &count));
		cbor_put_map(out, count);
		for (count *= 2; count--;)
			copy_item(c, out);
		return;
	case CBOR_TAG:
		CHECK(cbor_tag(c, &number));
		cbor_put_tag(out, number);
		copy_item(c, out);
		return;
	default:
		if (cbor_null(c)) {
			cbor_put_null(out);
		} else {
			CHECK(cbor_bool(c, &flag));
			cbor_put_bool(out, flag);
		}
	}
}

/* Heads only, so that containers are entered whatever is in them. */
static void walk(struct cbor c)
{
	uint64_t number;
	int64_t negative;
	size_t count;
	struct span s;
	bool flag;
	while (cbor_uint(&c, &number) || cbor_int(&c, &negative) || cbor_bytes(&c, &s) || cbor_text(&c, &s) ||
	       cbor_array(&c, &count) || cbor_map(&c, &count) || cbor_tag(&c, &number) || cbor_null(&c) ||
	       cbor_bool(&c, &flag))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {(const char *)data, size};
	walk(cbor_open(in));
	if (cbor_check(in))
		return 0;
	struct cbor c = cbor_open(in);
	struct buf out;
	buf_init(&out, size);
	copy_item(&c, &out);
	CHECK(cbor_at_end(&c));
	CHECK(span_is(buf_span(&out), in));
	buf_free(&out);
	return 0;
}

/* A receipt that is accepted is nothing but what it says: its payload, written again, is the same bytes. */
#include "base/check.h"
#include "nsm/cbor.h"
#include "nsm/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct receipt_key key;
	struct span in = {(const char *)data, size};
	struct receipt_read first, again;
	struct refusal why = {.reason = REFUSE_NONE};
	struct error err;
	if (!receipt_parse(in, &first, &why)) {
		CHECK(why.reason == REFUSE_ENCODING || why.reason == REFUSE_ENVELOPE ||
		      why.reason == REFUSE_RECEIPT);
		return 0;
	}
	if (!key.key.id)
		CHECK(receipt_key_make(&key, &err));
	struct buf out;
	buf_init(&out, RECEIPT_MAX);
	CHECK(receipt_write(&out, &first.said, &key, &err));
	CHECK(receipt_parse(buf_span(&out), &again, &why));
	CHECK(receipt_verify(&again, key.sha256, &why));
	/* All but the key, which stands behind map head, "v", 1 and "key" with its length. */
	size_t at = 1 + 2 + 1 + 4 + 2, behind = at + ES384_POINT_SIZE;
	struct span a = first.envelope.payload, b = again.envelope.payload;
	CHECK(span_is((struct span){a.p, at}, (struct span){b.p, at}));
	CHECK(span_is(span_from(a, behind), span_from(b, behind)));
	buf_free(&out);
	return 0;
}

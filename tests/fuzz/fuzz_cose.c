/* An envelope that is accepted is nothing but its parts: put together again it is the same bytes. */
#include "base/check.h"
#include "nsm/cbor.h"
#include "nsm/cose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {(const char *)data, size};
	struct cose_sign1 c;
	struct refusal why = {.reason = REFUSE_NONE};
	if (!cose_parse(in, &c, &why)) {
		CHECK(why.reason == REFUSE_ENCODING || why.reason == REFUSE_ENVELOPE);
		return 0;
	}
	struct cbor r = cbor_open(in);
	uint64_t tag;
	struct buf out;
	buf_init(&out, COSE_MAX);
	if (cbor_tag(&r, &tag))
		cbor_put_tag(&out, tag);
	cbor_put_array(&out, 4);
	cbor_put_bytes(&out, c.protected_header);
	cbor_put_map(&out, 0);
	cbor_put_bytes(&out, c.payload);
	cbor_put_bytes(&out, (struct span){(const char *)c.signature, ES384_SIGNATURE_SIZE});
	CHECK(span_is(buf_span(&out), in));
	buf_free(&out);
	return 0;
}

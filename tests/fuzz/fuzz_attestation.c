/*
 * A whole document, or only its payload: what is accepted says the same when it is written and read again,
 * and its chain can be walked, here with its own first certificate as the root.
 */
#include "base/check.h"
#include "nsm/attestation.h"
#include "nsm/cbor.h"
#include "nsm/chain.h"
#include "nsm/emulated.h"

static void check_same(const struct attestation *a, const struct attestation *b)
{
	CHECK(span_is(a->module_id, b->module_id));
	CHECK(a->timestamp == b->timestamp && a->bundle_count == b->bundle_count);
	CHECK(span_is(a->certificate, b->certificate));
	CHECK(span_is(a->public_key, b->public_key) && span_is(a->user_data, b->user_data));
	CHECK(span_is(a->nonce, b->nonce));
	for (size_t i = 0; i < ATTESTATION_PCRS; i++)
		CHECK(span_is(a->pcrs[i], b->pcrs[i]));
	for (size_t i = 0; i < a->bundle_count; i++)
		CHECK(span_is(a->bundle[i], b->bundle[i]));
}

/* The envelope around a payload, with a signature of zeros. */
static void wrap(struct buf *out, struct span payload)
{
	static const char signature[ES384_SIGNATURE_SIZE];
	buf_init(out, COSE_MAX);
	cbor_put_array(out, 4);
	cbor_put_bytes(out, SPAN("\xa1\x01\x38\x22"));
	cbor_put_map(out, 0);
	cbor_put_bytes(out, payload);
	cbor_put_bytes(out, (struct span){signature, sizeof signature});
}

static void try(struct span document)
{
	struct attestation a, b;
	struct refusal why = {.reason = REFUSE_NONE};
	if (emulated_parse(document, &a)) /* one or the other */
		CHECK(!a.envelope.signature && !attestation_parse(document, &b, &why));
	if (!attestation_parse(document, &a, &why)) {
		CHECK(why.reason >= REFUSE_ENCODING && why.reason <= REFUSE_FIELD);
		return;
	}
	struct buf payload, again;
	buf_init(&payload, 2 * COSE_PAYLOAD_MAX); /* optional fields that were left out become null */
	attestation_write(&a, &payload);
	wrap(&again, buf_span(&payload));
	if (!buf_full(&again) && payload.n <= COSE_PAYLOAD_MAX) {
		CHECK(attestation_parse(buf_span(&again), &b, &why));
		check_same(&a, &b);
	}

	struct chain chain = {a.certificate, a.bundle, a.bundle_count};
	uint8_t root[SHA256_SIZE], point[ES384_POINT_SIZE];
	digest_sha256(a.bundle[0], root);
	bool good = chain_verify(&chain, root, (int64_t)(a.timestamp / 1000), point, &why);
	CHECK(good || (why.reason >= REFUSE_CERTIFICATE && why.reason <= REFUSE_CHAIN_SIGNATURE));
	buf_free(&payload);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {(const char *)data, size};
	struct buf wrapped;
	try(in);
	wrap(&wrapped, in);
	try(buf_span(&wrapped));
	buf_free(&wrapped);
	return 0;
}

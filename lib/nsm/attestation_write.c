#include "nsm/attestation.h"
#include "nsm/cbor.h"

static void put_pcrs(const struct attestation *a, struct buf *out)
{
	size_t count = 0;
	for (size_t i = 0; i < ATTESTATION_PCRS; i++)
		count += a->pcrs[i].p != NULL;
	cbor_put_map(out, count);
	for (size_t i = 0; i < ATTESTATION_PCRS; i++) {
		if (!a->pcrs[i].p)
			continue;
		cbor_put_uint(out, i);
		cbor_put_bytes(out, a->pcrs[i]);
	}
}

void attestation_write(const struct attestation *a, struct buf *payload)
{
	cbor_put_map(payload, 9);
	cbor_put_text(payload, "module_id");
	cbor_put_text_span(payload, a->module_id);
	cbor_put_text(payload, "digest");
	cbor_put_text(payload, "SHA384");
	cbor_put_text(payload, "timestamp");
	cbor_put_uint(payload, a->timestamp);
	cbor_put_text(payload, "pcrs");
	put_pcrs(a, payload);
	cbor_put_text(payload, "certificate");
	cbor_put_bytes(payload, a->certificate);
	cbor_put_text(payload, "cabundle");
	cbor_put_array(payload, a->bundle_count);
	for (size_t i = 0; i < a->bundle_count; i++)
		cbor_put_bytes(payload, a->bundle[i]);
	cbor_put_text(payload, "public_key");
	cbor_put_bytes(payload, a->public_key);
	cbor_put_text(payload, "user_data");
	cbor_put_bytes(payload, a->user_data);
	cbor_put_text(payload, "nonce");
	cbor_put_bytes(payload, a->nonce);
}

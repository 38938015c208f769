#include "nsm/emulated.h"

#include "nsm/cbor.h"

static const char no_algorithm[] = "\xa1\x01\x20"; /* {1: -1}: reserved, no signature can be by it */
static const char zeros[64];

static bool is_blank(struct span s)
{
	return span_is(s, (struct span){zeros, sizeof zeros});
}

static bool read_envelope(struct span document, struct cose_sign1 *c)
{
	struct cbor r = cbor_open(document);
	struct span signature;
	size_t count;
	c->signature = NULL;
	return document.n <= COSE_MAX && !cbor_check(document) && cbor_array(&r, &count) && count == 4 &&
	       cbor_bytes(&r, &c->protected_header) && span_is(c->protected_header, SPAN(no_algorithm)) &&
	       cbor_map(&r, &count) && count == 0 && cbor_bytes(&r, &c->payload) &&
	       cbor_bytes(&r, &signature) && is_blank(signature);
}

bool emulated_parse(struct span document, struct attestation *a)
{
	struct refusal why;
	*a = (struct attestation){.timestamp = 0};
	return read_envelope(document, &a->envelope) && attestation_parse_payload(a, &why) &&
	       is_blank(a->certificate) && a->bundle_count == 1 && is_blank(a->bundle[0]);
}

#include "nsm/cose.h"

#include "nsm/cbor.h"

enum { TAG_SIGN1 = 18 };

/* {1: -35}, the only protected header there can be in shortest form. */
static const char protected_es384[] = "\xa1\x01\x38\x22";

bool cose_parse(struct span in, struct cose_sign1 *c, struct refusal *why)
{
	if (in.n > COSE_MAX)
		return refuse(why, REFUSE_ENVELOPE, "it has %zu bytes, more than the %d allowed", in.n,
			      COSE_MAX);
	const char *wrong = cbor_check(in);
	if (wrong)
		return refuse(why, REFUSE_ENCODING, "the CBOR %s", wrong);

	struct cbor r = cbor_open(in);
	uint64_t tag;
	size_t count;
	struct span signature;
	if (cbor_tag(&r, &tag) && tag != TAG_SIGN1)
		return refuse(why, REFUSE_ENVELOPE, "its tag is not %d (COSE_Sign1)", TAG_SIGN1);
	if (!cbor_array(&r, &count) || count != 4)
		return refuse(why, REFUSE_ENVELOPE, "it is not an array of four, as COSE_Sign1 is");
	if (!cbor_bytes(&r, &c->protected_header))
		return refuse(why, REFUSE_ENVELOPE, "its protected header is not a byte string");
	if (!span_is(c->protected_header, SPAN(protected_es384)))
		return refuse(why, REFUSE_ENVELOPE, "its protected header is not {1: -35} (ES384) alone");
	if (!cbor_map(&r, &count) || count != 0)
		return refuse(why, REFUSE_ENVELOPE, "its unprotected header is not an empty map");
	if (!cbor_bytes(&r, &c->payload))
		return refuse(why, REFUSE_ENVELOPE, "its payload is not a byte string");
	if (c->payload.n < 1 || c->payload.n > COSE_PAYLOAD_MAX)
		return refuse(why, REFUSE_ENVELOPE, "its payload has %zu bytes, not 1 to %d", c->payload.n,
			      COSE_PAYLOAD_MAX);
	if (!cbor_bytes(&r, &signature))
		return refuse(why, REFUSE_ENVELOPE, "its signature is not a byte string");
	if (signature.n != ES384_SIGNATURE_SIZE)
		return refuse(why, REFUSE_ENVELOPE, "its signature has %zu bytes, not %d", signature.n,
			      ES384_SIGNATURE_SIZE);
	c->signature = (const uint8_t *)signature.p;
	return true;
}

/* RFC 9052 section 4.4; the empty string is external data that nobody sends. */
static void signed_bytes(struct buf *out, struct span protected_header, struct span payload)
{
	buf_init(out, COSE_MAX);
	cbor_put_array(out, 4);
	cbor_put_text(out, "Signature1");
	cbor_put_bytes(out, protected_header);
	cbor_put_bytes(out, SPAN(""));
	cbor_put_bytes(out, payload);
}

bool cose_verify(const struct cose_sign1 *c, const uint8_t point[ES384_POINT_SIZE])
{
	struct buf message;
	signed_bytes(&message, c->protected_header, c->payload);
	bool good = !buf_full(&message) && es384_verify(point, buf_span(&message), c->signature);
	buf_free(&message);
	return good;
}

bool cose_sign(struct buf *out, struct span payload, const struct es384_key *key, struct error *err)
{
	if (payload.n < 1 || payload.n > COSE_PAYLOAD_MAX)
		return error_set(err, ERR_INTERNAL, "cannot sign a payload of %zu bytes, only 1 to %d",
				 payload.n, COSE_PAYLOAD_MAX);
	uint8_t signature[ES384_SIGNATURE_SIZE];
	struct buf message;
	signed_bytes(&message, SPAN(protected_es384), payload);
	bool good = es384_sign(key, buf_span(&message), signature, err);
	buf_free(&message);
	if (!good)
		return false;
	cbor_put_array(out, 4);
	cbor_put_bytes(out, SPAN(protected_es384));
	cbor_put_map(out, 0);
	cbor_put_bytes(out, payload);
	cbor_put_bytes(out, (struct span){(const char *)signature, sizeof signature});
	return !buf_full(out) || error_set(err, ERR_LIMIT, "the signed message does not fit into its buffer");
}

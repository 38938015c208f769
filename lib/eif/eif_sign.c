#include "eif/eif_sign.h"

#include "base/be.h"
#include "nsm/cbor.h"
#include "nsm/cose.h"
#include "nsm/signer.h"

static void put_numbers(struct buf *out, struct span bytes)
{
	cbor_put_array(out, bytes.n);
	for (size_t i = 0; i < bytes.n; i++)
		cbor_put_uint(out, (uint8_t)bytes.p[i]);
}

static void put_payload(const uint8_t pcr0[SHA384_SIZE], struct buf *out)
{
	cbor_put_map(out, 2);
	cbor_put_text(out, "register_index");
	cbor_put_uint(out, 0);
	cbor_put_text(out, "register_value");
	put_numbers(out, (struct span){(const char *)pcr0, SHA384_SIZE});
}

bool eif_sign(const uint8_t pcr0[SHA384_SIZE], struct span certificate, struct span private_key,
	      struct buf *signature, struct error *err)
{
	struct es384_key key = {0};
	struct buf payload, cose;
	if (certificate.n > EIF_CERTIFICATE_MAX)
		return error_set(err, ERR_CONFIG, "the signer's certificate is above %d bytes",
				 EIF_CERTIFICATE_MAX);
	if (!signer_load(certificate, private_key, &key, err))
		return false;
	buf_init(&payload, COSE_PAYLOAD_MAX);
	buf_init(&cose, COSE_MAX);
	put_payload(pcr0, &payload);
	bool good = cose_sign(&cose, buf_span(&payload), &key, err);
	if (good) {
		cbor_put_array(signature, 1);
		cbor_put_map(signature, 2);
		cbor_put_text(signature, "signing_certificate");
		put_numbers(signature, certificate);
		cbor_put_text(signature, "signature");
		put_numbers(signature, buf_span(&cose));
	}
	buf_free(&payload);
	buf_free(&cose);
	es384_free(&key);
	return good;
}

/*
 * An array of numbers below 256, read only as far as *out has room. Its head is read here: cbor_array()
 * refuses so many elements. Fewer than 24, or one or two bytes of count, stand in front.
 */
static bool get_numbers(struct cbor *c, struct buf *out)
{
	const uint8_t *p = (const uint8_t *)c->rest.p;
	size_t head, count;
	uint64_t byte;
	if (c->rest.n < 3 || p[0] < 0x80 || p[0] > 0x99)
		return false;
	head = p[0] < 0x98 ? 1 : p[0] == 0x98 ? 2 : 3;
	count = head == 1 ? p[0] & 31u : head == 2 ? p[1] : be_u16(p + 1);
	c->rest = span_from(c->rest, head);
	while (count--) {
		if (!cbor_uint(c, &byte) || byte > 255)
			return false;
		char b = (char)byte;
		if (!buf_add(out, &b, 1))
			return false;
	}
	return true;
}

bool eif_signer(struct span signature, struct buf *pem, struct error *err)
{
	struct cbor c = cbor_open(signature);
	size_t signers, pairs;
	struct span key = {0};
	if (cbor_array(&c, &signers) && signers >= 1 && cbor_map(&c, &pairs) && pairs >= 1 &&
	    cbor_text(&c, &key) && span_is(key, SPAN("signing_certificate")) && get_numbers(&c, pem))
		return true;
	return error_set(err, ERR_CONFIG, "the signature does not begin with its signer's certificate");
}

/* The envelope: what is signed verifies, and each rule of its form is needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "nsm/cbor.h"
#include "nsm/cose.h"
#include "unit/nsm/documents.h"

static const char signature[ES384_SIGNATURE_SIZE + 1];

static void test_round_trip(void **state)
{
	(void)state;
	static const char payload[COSE_PAYLOAD_MAX + 1];
	static const size_t sizes[] = {1, 23, 24, 255, 256, COSE_PAYLOAD_MAX};
	struct es384_key key, other;
	struct error err;
	uint8_t point[ES384_POINT_SIZE], other_point[ES384_POINT_SIZE];
	assert_true(es384_generate(&key, false, &err) && es384_generate(&other, false, &err));
	es384_point(&key, point);
	es384_point(&other, other_point);
	struct buf out;
	buf_init(&out, COSE_MAX);
	for (size_t i = 0; i < countof(sizes); i++) {
		struct cose_sign1 c;
		struct refusal why;
		buf_clear(&out);
		assert_true(cose_sign(&out, span_of_bytes(payload, sizes[i]), &key, &err));
		assert_true(cose_parse(buf_span(&out), &c, &why));
		assert_int_equal(c.payload.n, sizes[i]);
		assert_true(cose_verify(&c, point));
		assert_false(cose_verify(&c, other_point));
		out.p[out.n - 97 - 2] ^=
			1; /* the last byte of the payload, before the signature's head of 2 */
		assert_false(cose_verify(&c, point));
		out.p[out.n - 97 - 2] ^= 1;
		out.p[out.n - 1] ^= 1;
		assert_false(cose_verify(&c, point));
		out.p[out.n - 1] ^= 1;
		point[96] ^= 1; /* off the curve */
		assert_false(cose_verify(&c, point));
		point[96] ^= 1;
	}
	assert_false(cose_sign(&out, span_of_bytes(payload, 0), &key, &err));
	assert_false(cose_sign(&out, span_of_bytes(payload, sizeof payload), &key, &err));
	buf_free(&out);
	buf_init(&out, 64);
	assert_false(cose_sign(&out, span_of_bytes(payload, 32), &key, &err));
	assert_int_equal(err.kind, ERR_LIMIT);
	buf_free(&out);
	es384_free(&key);
	es384_free(&other);
}

/* The numbers 0 and the order n may not pass as r or s (CVE-2022-21449 was that). */
static void test_degenerate_signatures(void **state)
{
	(void)state;
	static const char order[] =
		"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77a"
		"ecec196accc52973";
	struct es384_key key;
	struct error err;
	uint8_t point[ES384_POINT_SIZE], sig[ES384_SIGNATURE_SIZE] = {0};
	assert_true(es384_generate(&key, false, &err));
	es384_point(&key, point);
	assert_false(es384_verify(point, SPAN("message"), sig));
	assert_true(digest_from_hex(span_of(order), sig, 48));
	assert_true(digest_from_hex(span_of(order), sig + 48, 48));
	assert_false(es384_verify(point, SPAN("message"), sig));
	memset(sig, 0xff, sizeof sig);
	assert_false(es384_verify(point, SPAN("message"), sig));
	es384_free(&key);
}

struct parts {
	uint64_t tag; /* 0: none */
	size_t count;
	struct span header, payload, signature; /* p NULL writes null */
	size_t unprotected;			/* pairs */
};

static const struct parts good = {0, 4, {"\xa1\x01\x38\x22", 4}, {"x", 1}, {signature, ES384_SIGNATURE_SIZE},
				  0};

static void expect(const struct parts *p, enum refusal_reason reason, const char *what)
{
	struct buf b;
	struct cose_sign1 c;
	struct refusal why = {.reason = REFUSE_NONE};
	buf_init(&b, 2 * COSE_MAX);
	if (p->tag)
		cbor_put_tag(&b, p->tag);
	cbor_put_array(&b, p->count);
	cbor_put_bytes(&b, p->header);
	cbor_put_map(&b, p->unprotected);
	for (size_t i = 0; i < p->unprotected; i++) {
		cbor_put_uint(&b, i);
		cbor_put_null(&b);
	}
	cbor_put_bytes(&b, p->payload);
	if (p->count > 3)
		cbor_put_bytes(&b, p->signature);
	for (size_t i = 4; i < p->count; i++)
		cbor_put_null(&b);
	cose_parse(buf_span(&b), &c, &why);
	if (why.reason != reason)
		fail_msg("%s: %s", what, why.text);
	buf_free(&b);
}

static void test_form(void **state)
{
	(void)state;
	static const char big[COSE_PAYLOAD_MAX + 512];
	struct parts p = good;
	expect(&p, REFUSE_NONE, "good");
#define WITH(field, value, reason)                                                                           \
	p = good;                                                                                            \
	p.field = (value);                                                                                   \
	expect(&p, REFUSE_##reason, #field " = " #value)
#define BYTES(n) span_of_bytes(big, (n))
	WITH(tag, 18, NONE);
	WITH(tag, 17, ENVELOPE);
	WITH(tag, 98, ENVELOPE);
	WITH(count, 3, ENVELOPE);
	WITH(count, 5, ENVELOPE);
	WITH(header, SPAN(""), ENVELOPE);
	WITH(header, SPAN("\xa0"), ENVELOPE);
	WITH(header, SPAN("\xa1\x01\x26"), ENVELOPE);		      /* ES256 */
	WITH(header, SPAN("\xa1\x01\x38\x23"), ENVELOPE);	      /* ES512 */
	WITH(header, SPAN("\xa2\x01\x38\x22\x04\x40"), ENVELOPE);     /* and a key id */
	WITH(header, SPAN("\xa1\x01\x39\x00\x22"), ENVELOPE);	      /* not shortest */
	WITH(header, SPAN("\xa2\x01\x38\x22\x02\x81\x01"), ENVELOPE); /* crit */
	WITH(header, ((struct span){NULL, 0}), ENVELOPE);
	WITH(unprotected, 1, ENVELOPE);
	WITH(payload, BYTES(0), ENVELOPE);
	WITH(payload, ((struct span){NULL, 0}), ENVELOPE);
	WITH(payload, BYTES(COSE_PAYLOAD_MAX), NONE);
	WITH(payload, BYTES(COSE_PAYLOAD_MAX + 1), ENVELOPE);
	WITH(payload, BYTES(COSE_PAYLOAD_MAX + 512), ENVELOPE);
	WITH(signature, BYTES(95), ENVELOPE);
	WITH(signature, BYTES(97), ENVELOPE);
	WITH(signature, BYTES(0), ENVELOPE);
	WITH(signature, ((struct span){NULL, 0}), ENVELOPE);
}

/* What stands in the unprotected header may not pass for payload and signature. */
static void test_hidden_in_header(void **state)
{
	(void)state;
	struct buf b;
	struct cose_sign1 c;
	struct refusal why;
	buf_init(&b, COSE_MAX);
	cbor_put_array(&b, 4);
	cbor_put_bytes(&b, good.header);
	cbor_put_map(&b, 1);
	for (int i = 0; i < 2; i++) {
		cbor_put_bytes(&b, good.payload);
		cbor_put_bytes(&b, good.signature);
	}
	assert_false(cose_parse(buf_span(&b), &c, &why));
	assert_int_equal(why.reason, REFUSE_ENVELOPE);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_degenerate_signatures),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_hidden_in_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

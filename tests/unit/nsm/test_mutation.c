/*
 * Nothing of a real document can be changed unnoticed: bits flipped and bytes cut off, chains put in another order, parts
 * of two documents in one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/mem.h"
#include "nsm/cbor.h"
#include "unit/nsm/documents.h"

static bool is_syntax(enum refusal_reason r)
{
	return r >= REFUSE_ENCODING && r <= REFUSE_FIELD;
}

static bool is_chain(enum refusal_reason r)
{
	return r >= REFUSE_CERTIFICATE && r <= REFUSE_CHAIN_SIGNATURE;
}

static bool within(struct span s, const char *p)
{
	return s.p && p >= s.p && p < s.p + s.n;
}

/* The contents of byte strings: whatever stands there, the syntax is the same. */
static bool is_content(const struct attestation *a, const char *p)
{
	bool found = within(a->certificate, p) || within(a->user_data, p) || within(a->nonce, p) ||
		     within(span_of_bytes(a->envelope.signature, ES384_SIGNATURE_SIZE), p);
	for (size_t i = 0; i < a->bundle_count; i++)
		found |= within(a->bundle[i], p);
	for (size_t i = 0; i < ATTESTATION_PCRS; i++)
		found |= within(a->pcrs[i], p);
	return found;
}

/* Whether that is the reason that a change at p must give, once the syntax is passed. */
static bool is_right(const struct attestation *a, const char *p, enum refusal_reason reason)
{
	if (within(a->bundle[0], p))
		return reason == REFUSE_ROOT;
	bool in_chain = within(a->certificate, p);
	for (size_t i = 1; i < a->bundle_count; i++)
		in_chain |= within(a->bundle[i], p);
	return in_chain ? is_chain(reason) : reason == REFUSE_SIGNATURE;
}

/* One bit of every byte; the syntax is tried on all, the cryptography on every so many. */
static void test_flipped_bits(void **state)
{
	(void)state;
	enum { EVERY = 37 };
	struct buf doc = document_load("veracruz_doc.cbor");
	struct attestation a;
	struct refusal why;
	struct attestation_wish wish = {.at = VERACRUZ_AT};
	size_t syntax = 0, deeper = 0, passed = 0;
	assert_true(attestation_parse(buf_span(&doc), &a, &why));
	for (size_t i = 0; i < doc.n; i++) {
		struct attestation_report r;
		char bit = (char)(1 << i % 8);
		doc.p[i] ^= bit;
		if (!attestation_parse(buf_span(&doc), &r.document, &why)) {
			assert_true(is_syntax(why.reason));
			assert_false(is_content(&a, doc.p + i));
			syntax++;
		} else if (passed++ % EVERY == 0) {
			assert_false(attestation_verify(buf_span(&doc), &wish, &r));
			if (!is_right(&a, doc.p + i, r.why.reason))
				fail_msg("byte %zu: %s", i, r.why.text);
			deeper++;
		}
		doc.p[i] ^= bit;
	}
	print_message("%zu by syntax, %zu deeper\n", syntax, deeper);
	assert_true(syntax > 150 && deeper >= 100);
	buf_free(&doc);
}

static void test_cut_and_extended(void **state)
{
	(void)state;
	struct buf doc = document_load("veracruz_doc.cbor");
	struct attestation a;
	struct refusal why;
	for (size_t n = 0; n < doc.n; n++) {
		char *part = mem_alloc(n); /* exactly: ASan sees a read past the end */
		memcpy(part, doc.p, n);
		assert_false(attestation_parse(span_of_bytes(part, n), &a, &why));
		assert_int_equal(why.reason, REFUSE_ENCODING);
		free(part);
	}
	buf_add(&doc, "", 1);
	assert_false(attestation_parse(buf_span(&doc), &a, &why));
	assert_int_equal(why.reason, REFUSE_ENCODING);
	buf_free(&doc);
}

/* The envelope around another payload, with the old signature. */
static void wrap(struct buf *out, struct span payload, const uint8_t *signature)
{
	buf_init(out, COSE_MAX);
	cbor_put_array(out, 4);
	cbor_put_bytes(out, SPAN("\xa1\x01\x38\x22"));
	cbor_put_map(out, 0);
	cbor_put_bytes(out, payload);
	cbor_put_bytes(out, span_of_bytes(signature, ES384_SIGNATURE_SIZE));
}

static void test_other_chains(void **state)
{
	(void)state;
	/* By index into [root, region, zone, instance, leaf]. */
	static const struct {
		size_t order[6], count; /* the last is the leaf's */
		enum refusal_reason reason;
	} cases[] = {
		{{0, 1, 2, 3, 4}, 5, REFUSE_NONE},
		{{1, 0, 2, 3, 4}, 5, REFUSE_ROOT},
		{{3, 2, 1, 0, 4}, 5, REFUSE_ROOT},
		{{1, 2, 3, 4}, 4, REFUSE_ROOT},
		{{4, 0}, 2, REFUSE_ROOT},
		{{0, 2, 1, 3, 4}, 5, REFUSE_CONSTRAINTS}, /* the zone allows one CA below it */
		{{0, 1, 3, 2, 4}, 5, REFUSE_CONSTRAINTS},
		{{0, 1, 2, 4, 3}, 5, REFUSE_CONSTRAINTS}, /* a leaf as a CA */
		{{0, 1, 2, 3}, 4, REFUSE_CONSTRAINTS},	  /* a CA as the leaf */
		{{0, 1, 2, 4}, 4, REFUSE_ISSUER},
		{{0, 1, 3, 4}, 4, REFUSE_ISSUER},
		{{0, 2, 3, 4}, 4, REFUSE_ISSUER},
		{{0, 4}, 2, REFUSE_ISSUER},
		{{0, 1, 2, 3, 3, 4}, 6, REFUSE_CONSTRAINTS},
	};
	struct buf doc = document_load("veracruz_doc.cbor");
	struct attestation a;
	struct refusal why;
	assert_true(attestation_parse(buf_span(&doc), &a, &why));
	for (size_t i = 0; i < countof(cases); i++) {
		struct attestation m = a;
		struct attestation_report r;
		struct buf payload, mutant;
		m.bundle_count = cases[i].count - 1;
		for (size_t k = 0; k < cases[i].count; k++) {
			struct span *to = k == m.bundle_count ? &m.certificate : &m.bundle[k];
			*to = cases[i].order[k] == 4 ? a.certificate : a.bundle[cases[i].order[k]];
		}
		buf_init(&payload, COSE_PAYLOAD_MAX);
		attestation_write(&m, &payload);
		wrap(&mutant, buf_span(&payload), a.envelope.signature);
		attestation_verify(buf_span(&mutant), &(struct attestation_wish){.at = VERACRUZ_AT}, &r);
		if (r.why.reason != cases[i].reason)
			fail_msg("case %zu: %s", i, r.why.text);
		buf_free(&payload);
		buf_free(&mutant);
	}
	buf_free(&doc);
}

/* A leaf of one enclave under the chain of another. */
static void test_crossed_documents(void **state)
{
	(void)state;
	struct buf one = document_load("veracruz_doc.cbor"),
		   other = document_load("evervault_valid_doc.cbor");
	struct attestation a, b;
	struct attestation_report r;
	struct refusal why;
	struct buf payload, mutant;
	assert_true(attestation_parse(buf_span(&one), &a, &why));
	assert_true(attestation_parse(buf_span(&other), &b, &why));
	struct attestation m = a;
	m.certificate = b.certificate;
	buf_init(&payload, COSE_PAYLOAD_MAX);
	attestation_write(&m, &payload);
	wrap(&mutant, buf_span(&payload), a.envelope.signature);
	assert_false(
		attestation_verify(buf_span(&mutant), &(struct attestation_wish){.at = VERACRUZ_AT}, &r));
	assert_int_equal(r.why.reason, REFUSE_EXPIRED);
	buf_free(&mutant);

	/* The right chain, the signature of another document. */
	wrap(&mutant, a.envelope.payload, b.envelope.signature);
	assert_false(
		attestation_verify(buf_span(&mutant), &(struct attestation_wish){.at = VERACRUZ_AT}, &r));
	assert_int_equal(r.why.reason, REFUSE_SIGNATURE);
	buf_free(&mutant);
	buf_free(&payload);
	buf_free(&one);
	buf_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_cut_and_extended),
		cmocka_unit_test(test_other_chains),
		cmocka_unit_test(test_crossed_documents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

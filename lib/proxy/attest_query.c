#include "proxy/attest_query.h"

#include "nsm/digest.h"

static bool read_nonce(struct span query, struct attest_query *q, struct error *err)
{
	struct span name = SPAN("nonce=");
	if (!span_starts(query, name))
		return error_set(err, ERR_BAD_REQUEST,
				 "ask for /attestation?nonce=HEX with %d to %d random bytes of your own in "
				 "hexadecimal, and nothing else in the query",
				 ATTEST_NONCE_MIN, ATTEST_NONCE_MAX);
	struct span hex = span_from(query, name.n);
	q->nonce_len = hex.n / 2;
	if (q->nonce_len < ATTEST_NONCE_MIN || q->nonce_len > ATTEST_NONCE_MAX)
		return error_set(
			err, ERR_BAD_REQUEST,
			"the nonce has %zu hexadecimal digits; it must have %d to %d (%d to %d bytes)", hex.n,
			2 * ATTEST_NONCE_MIN, 2 * ATTEST_NONCE_MAX, ATTEST_NONCE_MIN, ATTEST_NONCE_MAX);
	return digest_from_hex(hex, q->nonce, q->nonce_len) ||
	       error_set(err, ERR_BAD_REQUEST, "the nonce is not an even number of hexadecimal digits");
}

static bool accepts(const struct head *h, struct span type)
{
	struct head_list it = {0};
	struct span element, name;
	while (head_list_next(h, "Accept", &it, &element))
		if (span_cut(&element, ';', &name) && span_is_nocase(span_trim(name), type))
			return true;
	return false;
}

bool attest_query_parse(struct span target, const struct head *h, struct attest_query *q, struct error *err)
{
	struct span path = target, query = target;
	*q = (struct attest_query){.what = ATTEST_DOCUMENT};
	span_cut(&query, '?', &path);
	if (!head_method_is(h, "GET"))
		return error_set(err, ERR_METHOD, "attestation is asked for with GET");
	if (span_is(path, SPAN("/attestation"))) {
		q->json = accepts(h, SPAN("application/json")) && !accepts(h, SPAN("application/cbor"));
		return read_nonce(query.p ? query : SPAN(""), q, err);
	}
	if (span_is(path, SPAN("/attestation/claims")))
		q->what = ATTEST_CLAIMS;
	else if (span_is(path, SPAN("/attestation/root")))
		q->what = ATTEST_ROOT;
	else
		return error_set(
			err, ERR_NOT_FOUND,
			"there are /attestation?nonce=HEX and /attestation/claims, and nothing else");
	return !query.p || error_set(err, ERR_BAD_REQUEST, "%.*s takes no query", SPAN_ARG(path));
}

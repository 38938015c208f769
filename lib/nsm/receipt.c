#include "nsm/receipt.h"

#include "base/check.h"
#include "nsm/cbor.h"

enum { VERSION = 1, PAIRS = 12, STATUS_MIN = 100, STATUS_MAX = 999 };
#define TIME_MAX UINT64_C(253402300799999) /* the year 9999 */

/* ---- the key ---- */

bool receipt_key_make(struct receipt_key *k, struct error *err)
{
	if (!es384_generate_deterministic(&k->key, err))
		return false;
	es384_point(&k->key, k->point);
	es384_point_sha256(k->point, k->sha256);
	return true;
}

void receipt_key_free(struct receipt_key *k)
{
	es384_free(&k->key);
}

/* ---- what may stand in one: printable, and safe in a terminal and between the quotes of JSON ---- */

static bool is_text(struct span s, size_t max)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return s.n >= 1 && s.n <= max;
}

static bool is_target(struct span s)
{
	return is_text(s, RECEIPT_TARGET_MAX) &&
	       (span_starts(s, SPAN("https://")) || span_starts(s, SPAN("http://")));
}

static bool is_sound(const struct receipt *r)
{
	return is_text(r->method, RECEIPT_METHOD_MAX) && is_target(r->target) && r->status >= STATUS_MIN &&
	       r->status <= STATUS_MAX && r->time <= TIME_MAX &&
	       r->secure == span_starts(r->target, SPAN("https://")) &&
	       (!r->secure || (is_text(r->tls, RECEIPT_SUITE_MAX) && is_text(r->cipher, RECEIPT_SUITE_MAX)));
}

/* ---- writing ---- */

static void put_digest(struct buf *out, const char *name, bool has, const uint8_t digest[SHA256_SIZE])
{
	cbor_put_text(out, name);
	cbor_put_bytes(out, (struct span){has ? (const char *)digest : NULL, SHA256_SIZE});
}

static void put_text(struct buf *out, const char *name, bool has, struct span text)
{
	cbor_put_text(out, name);
	if (has)
		cbor_put_text_span(out, text);
	else
		cbor_put_null(out);
}

static void put_uint(struct buf *out, const char *name, uint64_t value)
{
	cbor_put_text(out, name);
	cbor_put_uint(out, value);
}

static void put_payload(struct buf *out, const struct receipt *r, const uint8_t point[ES384_POINT_SIZE])
{
	cbor_put_map(out, PAIRS);
	put_uint(out, "v", VERSION);
	cbor_put_text(out, "key");
	cbor_put_bytes(out, (struct span){(const char *)point, ES384_POINT_SIZE});
	put_text(out, "tls", r->secure, r->tls);
	put_digest(out, "path", true, r->path);
	put_digest(out, "peer", r->secure, r->peer);
	put_uint(out, "time", r->time);
	put_text(out, "cipher", r->secure, r->cipher);
	put_text(out, "method", true, r->method);
	put_uint(out, "status", r->status);
	put_text(out, "target", true, r->target);
	put_digest(out, "request", r->has_request, r->request);
	put_digest(out, "response", true, r->response);
}

bool receipt_write(struct buf *out, const struct receipt *r, const struct receipt_key *key, struct error *err)
{
	struct buf payload;
	if (!is_sound(r))
		return error_set(err, ERR_INTERNAL, "this exchange cannot be said in a receipt");
	buf_init(&payload, RECEIPT_MAX);
	put_payload(&payload, r, key->point);
	CHECK(!buf_full(&payload));
	bool good = cose_sign(out, buf_span(&payload), &key->key, err);
	buf_free(&payload);
	return good;
}

/* ---- reading ---- */

static bool take_name(struct cbor *c, const char *name)
{
	struct span text;
	return cbor_text(c, &text) && span_is(text, span_of(name));
}

static bool take_uint(struct cbor *c, const char *name, uint64_t *value)
{
	return take_name(c, name) && cbor_uint(c, value);
}

static bool take_text(struct cbor *c, const char *name, struct span *text)
{
	return take_name(c, name) && cbor_text(c, text);
}

static bool take_bytes(struct cbor *c, const char *name, uint8_t *out, size_t size)
{
	struct span bytes;
	if (!take_name(c, name) || !cbor_bytes(c, &bytes) || bytes.n != size)
		return false;
	memcpy(out, bytes.p, size);
	return true;
}

/* The value behind the name is null. */
static bool take_null(struct cbor *c, const char *name)
{
	struct cbor before = *c;
	if (take_name(c, name) && cbor_null(c))
		return true;
	*c = before;
	return false;
}

static bool take_payload(struct span payload, struct receipt *r, uint8_t point[ES384_POINT_SIZE])
{
	struct cbor c = cbor_open(payload);
	uint64_t version, status;
	size_t pairs;
	if (!cbor_map(&c, &pairs) || pairs != PAIRS || !take_uint(&c, "v", &version) || version != VERSION ||
	    !take_bytes(&c, "key", point, ES384_POINT_SIZE))
		return false;
	r->secure = !take_null(&c, "tls");
	if ((r->secure && !take_text(&c, "tls", &r->tls)) || !take_bytes(&c, "path", r->path, SHA256_SIZE))
		return false;
	if (!(r->secure ? take_bytes(&c, "peer", r->peer, SHA256_SIZE) : take_null(&c, "peer")) ||
	    !take_uint(&c, "time", &r->time) ||
	    !(r->secure ? take_text(&c, "cipher", &r->cipher) : take_null(&c, "cipher")) ||
	    !take_text(&c, "method", &r->method) || !take_uint(&c, "status", &status) ||
	    !take_text(&c, "target", &r->target))
		return false;
	r->status = status <= STATUS_MAX ? (unsigned)status : 0;
	r->has_request = !take_null(&c, "request");
	return (!r->has_request || take_bytes(&c, "request", r->request, SHA256_SIZE)) &&
	       take_bytes(&c, "response", r->response, SHA256_SIZE) && cbor_peek(&c) == CBOR_END &&
	       is_sound(r);
}

bool receipt_parse(struct span in, struct receipt_read *r, struct refusal *why)
{
	*r = (struct receipt_read){.point = {0}};
	if (!cose_parse(in, &r->envelope, why))
		return false;
	const char *wrong = cbor_check(r->envelope.payload);
	if (wrong)
		return refuse(why, REFUSE_ENCODING, "the payload's CBOR %s", wrong);
	return take_payload(r->envelope.payload, &r->said, r->point) ||
	       refuse(why, REFUSE_RECEIPT, "its payload is not that of a receipt of version %d", VERSION);
}

bool receipt_verify(const struct receipt_read *r, const uint8_t claimed_key[SHA256_SIZE], struct refusal *why)
{
	uint8_t key[SHA256_SIZE];
	es384_point_sha256(r->point, key);
	if (memcmp(key, claimed_key, SHA256_SIZE) != 0)
		return refuse(why, REFUSE_RECEIPT_KEY, "it is by another key than the enclave claims");
	return cose_verify(&r->envelope, r->point) ||
	       refuse(why, REFUSE_RECEIPT_SIGNATURE, "it is not signed by the key it names");
}

#include "nsm/attestation.h"

#include "base/check.h"
#include "nsm/cbor.h"

/* The end of the year 9999, beyond which no calendar of ours goes. */
#define TIMESTAMP_MAX UINT64_C(253402300799999)

enum { PCR_MIN = 32, PCR_MID = 48 };

/* One reader a field: takes the value, or says what is wrong with it. */

static bool read_module_id(struct cbor *r, struct attestation *a, struct refusal *why)
{
	if (!cbor_text(r, &a->module_id) || !a->module_id.n || a->module_id.n > ATTESTATION_MODULE_MAX)
		return refuse(why, REFUSE_FIELD, "module_id is not a text of 1 to %d bytes",
			      ATTESTATION_MODULE_MAX);
	return true;
}

static bool read_digest(struct cbor *r, struct attestation *a, struct refusal *why)
{
	(void)a;
	struct span digest;
	if (!cbor_text(r, &digest) || !span_is(digest, SPAN("SHA384")))
		return refuse(why, REFUSE_FIELD, "digest is not SHA384");
	return true;
}

static bool read_timestamp(struct cbor *r, struct attestation *a, struct refusal *why)
{
	if (!cbor_uint(r, &a->timestamp) || !a->timestamp || a->timestamp > TIMESTAMP_MAX)
		return refuse(why, REFUSE_FIELD, "timestamp is not a time in milliseconds");
	return true;
}

static bool read_pcrs(struct cbor *r, struct attestation *a, struct refusal *why)
{
	size_t pairs;
	if (!cbor_map(r, &pairs) || pairs < 1 || pairs > ATTESTATION_PCRS)
		return refuse(why, REFUSE_FIELD, "pcrs is not a map of 1 to %d", ATTESTATION_PCRS);
	while (pairs--) {
		uint64_t index;
		struct span value;
		if (!cbor_uint(r, &index) || index >= ATTESTATION_PCRS)
			return refuse(why, REFUSE_FIELD, "pcrs has a key that is not an index below %d",
				      ATTESTATION_PCRS);
		if (!cbor_bytes(r, &value) ||
		    (value.n != PCR_MIN && value.n != PCR_MID && value.n != ATTESTATION_PCR_MAX))
			return refuse(why, REFUSE_FIELD, "PCR%u is not 32, 48 or 64 bytes", (unsigned)index);
		a->pcrs[index] = value;
	}
	return true;
}

static bool read_certificate(struct cbor *r, struct attestation *a, struct refusal *why)
{
	if (!cbor_bytes(r, &a->certificate) || !a->certificate.n || a->certificate.n > ATTESTATION_CERT_MAX)
		return refuse(why, REFUSE_FIELD, "certificate is not 1 to %d bytes", ATTESTATION_CERT_MAX);
	return true;
}

static bool read_cabundle(struct cbor *r, struct attestation *a, struct refusal *why)
{
	if (!cbor_array(r, &a->bundle_count) || a->bundle_count < 1 ||
	    a->bundle_count > ATTESTATION_BUNDLE_MAX)
		return refuse(why, REFUSE_FIELD, "cabundle is not an array of 1 to %d",
			      ATTESTATION_BUNDLE_MAX);
	for (size_t i = 0; i < a->bundle_count; i++)
		if (!cbor_bytes(r, &a->bundle[i]) || !a->bundle[i].n || a->bundle[i].n > ATTESTATION_CERT_MAX)
			return refuse(why, REFUSE_FIELD,
				      "cabundle has a certificate that is not 1 to %d bytes",
				      ATTESTATION_CERT_MAX);
	return true;
}

static bool read_optional(struct cbor *r, struct span *value, size_t min, const char *name,
			  struct refusal *why)
{
	if (cbor_null(r))
		return true;
	if (!cbor_bytes(r, value) || value->n < min || value->n > ATTESTATION_OPTIONAL_MAX)
		return refuse(why, REFUSE_FIELD, "%s is neither null nor %zu to %d bytes", name, min,
			      ATTESTATION_OPTIONAL_MAX);
	return true;
}

static bool read_public_key(struct cbor *r, struct attestation *a, struct refusal *why)
{
	return read_optional(r, &a->public_key, 1, "public_key", why);
}

static bool read_user_data(struct cbor *r, struct attestation *a, struct refusal *why)
{
	return read_optional(r, &a->user_data, 0, "user_data", why);
}

static bool read_nonce(struct cbor *r, struct attestation *a, struct refusal *why)
{
	return read_optional(r, &a->nonce, 0, "nonce", why);
}

static const struct field {
	const char *name;
	bool (*read)(struct cbor *r, struct attestation *a, struct refusal *why);
	bool optional;
} fields[] = {
	{"module_id", read_module_id, false},
	{"digest", read_digest, false},
	{"timestamp", read_timestamp, false},
	{"pcrs", read_pcrs, false},
	{"certificate", read_certificate, false},
	{"cabundle", read_cabundle, false},
	{"public_key", read_public_key, true},
	{"user_data", read_user_data, true},
	{"nonce", read_nonce, true},
};

static const struct field *field_named(struct span name)
{
	for (size_t i = 0; i < countof(fields); i++)
		if (span_is(name, span_of(fields[i].name)))
			return &fields[i];
	return NULL;
}

bool attestation_parse_payload(struct attestation *a, struct refusal *why)
{
	struct span payload = a->envelope.payload;
	const char *wrong = cbor_check(payload);
	if (wrong)
		return refuse(why, REFUSE_ENCODING, "the CBOR of its payload %s", wrong);
	struct cbor r = cbor_open(payload);
	size_t pairs;
	bool seen[countof(fields)] = {false}; /* twice cannot be: the check refuses that */
	if (!cbor_map(&r, &pairs))
		return refuse(why, REFUSE_FIELD, "its payload is not a map");
	while (pairs--) {
		struct span name;
		const struct field *f = cbor_text(&r, &name) ? field_named(name) : NULL;
		if (!f)
			return refuse(why, REFUSE_FIELD,
				      "it has a field that attestation documents do not have");
		if (!f->read(&r, a, why))
			return false;
		seen[f - fields] = true;
	}
	for (size_t i = 0; i < countof(fields); i++)
		if (!seen[i] && !fields[i].optional)
			return refuse(why, REFUSE_FIELD, "it has no %s", fields[i].name);
	return true;
}

bool attestation_parse(struct span document, struct attestation *a, struct refusal *why)
{
	*a = (struct attestation){.timestamp = 0};
	return cose_parse(document, &a->envelope, why) && attestation_parse_payload(a, why);
}

static bool all_zero(struct span s)
{
	uint8_t any = 0;
	for (size_t i = 0; i < s.n; i++)
		any |= (uint8_t)s.p[i];
	return any == 0;
}

bool attestation_is_debug(const struct attestation *a)
{
	for (size_t i = 0; i < 3; i++)
		if (a->pcrs[i].p && all_zero(a->pcrs[i]))
			return true;
	return false;
}

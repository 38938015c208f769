#include "nsm/nsm.h"

#include "base/check.h"
#include "nsm/cbor.h"

/* One request on its way: the name is what the response must carry too. */
struct exchange {
	const char *name;
	struct buf request, response;
	struct cbor answer; /* of a response with a body: its fields */
	size_t fields;
};

static void begin(struct exchange *x, const char *name, size_t fields)
{
	*x = (struct exchange){.name = name};
	buf_init(&x->request, NSM_REQUEST_MAX);
	buf_init(&x->response, NSM_RESPONSE_MAX);
	if (fields) {
		cbor_put_map(&x->request, 1);
		cbor_put_text(&x->request, name);
		cbor_put_map(&x->request, fields);
	} else {
		cbor_put_text(&x->request, name);
	}
}

/* Passes the verdict through, for `return end(&x, good)`. */
static bool end(struct exchange *x, bool good)
{
	buf_free(&x->request);
	buf_free(&x->response);
	return good;
}

static bool malformed(const struct exchange *x, struct error *err)
{
	return error_set(err, ERR_PROTOCOL, "the NSM's answer to %s is not what it should be", x->name);
}

/* Its codes, as they stand in the API; anything else is not repeated in our text. */
static bool set_nsm_error(const struct exchange *x, struct cbor r, struct error *err)
{
	static const struct {
		const char *code;
		enum error_kind kind;
	} codes[] = {
		{"InvalidArgument", ERR_INTERNAL},  {"InvalidIndex", ERR_INTERNAL},
		{"InvalidResponse", ERR_PROTOCOL},  {"ReadOnlyIndex", ERR_DENIED},
		{"InvalidOperation", ERR_INTERNAL}, {"BufferTooSmall", ERR_INTERNAL},
		{"InputTooLarge", ERR_BAD_REQUEST}, {"InternalError", ERR_UNAVAILABLE},
	};
	struct span code;
	if (!cbor_text(&r, &code))
		return malformed(x, err);
	for (size_t i = 0; i < countof(codes); i++)
		if (span_is(code, span_of(codes[i].code)))
			return error_set(err, codes[i].kind, "the NSM refused %s: %s", x->name,
					 codes[i].code);
	return error_set(err, ERR_PROTOCOL, "the NSM refused %s with an unknown code", x->name);
}

/* Sends it and opens the response: `"name"` alone, or `{"name": {fields}}`, or an error. */
static bool run(struct exchange *x, struct nsm *n, bool has_fields, struct error *err)
{
	if (buf_full(&x->request))
		return error_set(err, ERR_BAD_REQUEST, "%s would be more than the %d bytes an NSM takes",
				 x->name, NSM_REQUEST_MAX);
	if (!n->call(n, buf_span(&x->request), &x->response, err))
		return false;
	if (cbor_check(buf_span(&x->response)))
		return malformed(x, err);
	x->answer = cbor_open(buf_span(&x->response));
	size_t pairs;
	struct span name;
	bool is_map = cbor_map(&x->answer, &pairs);
	if ((is_map && pairs != 1) || !cbor_text(&x->answer, &name))
		return malformed(x, err);
	if (is_map && span_is(name, SPAN("Error")))
		return set_nsm_error(x, x->answer, err);
	if (is_map != has_fields || !span_is(name, span_of(x->name)) ||
	    (has_fields && !cbor_map(&x->answer, &x->fields)))
		return malformed(x, err);
	return true;
}

/* A cursor at the value of that field; false if there is none. */
static bool find(const struct exchange *x, const char *field, struct cbor *value)
{
	struct cbor r = x->answer;
	for (size_t i = 0; i < x->fields; i++) {
		struct span name;
		if (!cbor_text(&r, &name))
			return false;
		*value = r;
		if (span_is(name, span_of(field)))
			return true;
		if (!cbor_skip(&r))
			return false;
	}
	return false;
}

static bool find_bytes(const struct exchange *x, const char *field, size_t max, struct span *bytes)
{
	struct cbor r;
	return find(x, field, &r) && cbor_bytes(&r, bytes) && bytes->n >= 1 && bytes->n <= max;
}

static bool find_number(const struct exchange *x, const char *field, unsigned *number)
{
	struct cbor r;
	uint64_t v;
	if (!find(x, field, &r) || !cbor_uint(&r, &v) || v > UINT16_MAX)
		return false;
	*number = (unsigned)v;
	return true;
}

static bool find_pcr(const struct exchange *x, struct nsm_pcr *pcr)
{
	struct span value;
	if (!find_bytes(x, "data", sizeof pcr->value, &value))
		return false;
	memcpy(pcr->value, value.p, value.n);
	pcr->size = value.n;
	return true;
}

static bool find_description(const struct exchange *x, struct nsm_description *d)
{
	struct cbor r;
	struct span id;
	size_t count;
	if (!find_number(x, "version_major", &d->major) || !find_number(x, "version_minor", &d->minor) ||
	    !find_number(x, "version_patch", &d->patch) || !find_number(x, "max_pcrs", &d->max_pcrs))
		return false;
	if (!find(x, "module_id", &r) || !cbor_text(&r, &id) || id.n > ATTESTATION_MODULE_MAX)
		return false;
	memcpy(d->module_id, id.p, id.n);
	d->module_id[id.n] = '\0';
	if (!find(x, "locked_pcrs", &r) || !cbor_array(&r, &count))
		return false;
	d->locked = 0;
	while (count--) {
		uint64_t index;
		if (!cbor_uint(&r, &index) || index >= ATTESTATION_PCRS)
			return false;
		d->locked |= UINT32_C(1) << index;
	}
	return true;
}

bool nsm_describe(struct nsm *n, struct nsm_description *d, struct error *err)
{
	struct exchange x;
	begin(&x, "DescribeNSM", 0);
	return end(&x, run(&x, n, true, err) && (find_description(&x, d) || malformed(&x, err)));
}

bool nsm_random(struct nsm *n, struct buf *out, struct error *err)
{
	struct exchange x;
	struct span random;
	begin(&x, "GetRandom", 0);
	if (!run(&x, n, true, err))
		return end(&x, false);
	if (!find_bytes(&x, "random", NSM_RANDOM_MAX, &random))
		return end(&x, malformed(&x, err));
	return end(&x, buf_add_span(out, random) || error_set(err, ERR_LIMIT, "no room for random bytes"));
}

bool nsm_describe_pcr(struct nsm *n, unsigned index, struct nsm_pcr *pcr, struct error *err)
{
	struct exchange x;
	struct cbor r;
	begin(&x, "DescribePCR", 1);
	cbor_put_text(&x.request, "index");
	cbor_put_uint(&x.request, index);
	if (!run(&x, n, true, err))
		return end(&x, false);
	bool good = find_pcr(&x, pcr) && find(&x, "lock", &r) && cbor_bool(&r, &pcr->locked);
	return end(&x, good || malformed(&x, err));
}

bool nsm_extend_pcr(struct nsm *n, unsigned index, struct span data, struct nsm_pcr *pcr, struct error *err)
{
	struct exchange x;
	begin(&x, "ExtendPCR", 2);
	cbor_put_text(&x.request, "index");
	cbor_put_uint(&x.request, index);
	cbor_put_text(&x.request, "data");
	cbor_put_bytes(&x.request, data);
	pcr->locked = false;
	return end(&x, run(&x, n, true, err) && (find_pcr(&x, pcr) || malformed(&x, err)));
}

static bool lock(struct nsm *n, const char *name, const char *field, unsigned number, struct error *err)
{
	struct exchange x;
	begin(&x, name, 1);
	cbor_put_text(&x.request, field);
	cbor_put_uint(&x.request, number);
	return end(&x, run(&x, n, false, err));
}

bool nsm_lock_pcr(struct nsm *n, unsigned index, struct error *err)
{
	return lock(n, "LockPCR", "index", index, err);
}

bool nsm_lock_pcrs(struct nsm *n, unsigned count, struct error *err)
{
	return lock(n, "LockPCRs", "range", count, err);
}

bool nsm_attest(struct nsm *n, const struct nsm_evidence *e, struct buf *document, struct error *err)
{
	if (e->user_data.n > ATTESTATION_NONCE_SEND || e->nonce.n > ATTESTATION_NONCE_SEND ||
	    e->public_key.n > ATTESTATION_OPTIONAL_MAX)
		return error_set(err, ERR_BAD_REQUEST,
				 "a document takes %d bytes of user_data and nonce and %d of public_key",
				 ATTESTATION_NONCE_SEND, ATTESTATION_OPTIONAL_MAX);
	struct exchange x;
	struct span found;
	begin(&x, "Attestation", 3);
	cbor_put_text(&x.request, "user_data");
	cbor_put_bytes(&x.request, e->user_data);
	cbor_put_text(&x.request, "nonce");
	cbor_put_bytes(&x.request, e->nonce);
	cbor_put_text(&x.request, "public_key");
	cbor_put_bytes(&x.request, e->public_key);
	if (!run(&x, n, true, err))
		return end(&x, false);
	if (!find_bytes(&x, "document", NSM_RESPONSE_MAX, &found))
		return end(&x, malformed(&x, err));
	return end(&x, buf_add_span(document, found) ||
			       error_set(err, ERR_LIMIT, "no room for a document of %zu bytes", found.n));
}

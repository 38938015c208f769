#include "nsm/soft.h"

#ifndef NP_ENCLAVE_BUILD

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <mbedtls/psa_util.h>
#include <psa/crypto.h>

#include "base/check.h"
#include "base/mem.h"
#include "nsm/cbor.h"
#include "nsm/soft_ca.h"

#define MODULE_ID "nitroproxy-software-nsm"

enum { LOCKED_AT_START = 16, INDEX_MAX = ATTESTATION_PCRS - 1 };

struct soft {
	struct nsm nsm;
	pthread_mutex_t mutex; /* PCRs and leaf */
	int64_t now;	       /* 0: the system's clock */
	struct soft_ca *ca;    /* owned */
	bool locked[ATTESTATION_PCRS];
	uint8_t pcrs[ATTESTATION_PCRS][SHA384_SIZE];
};

/* A request taken apart; what it does not name stays NULL or NONE. */
#define NONE UINT64_MAX
struct request {
	struct span name;
	uint64_t number; /* index or range */
	struct span data, user_data, nonce, public_key;
};

static bool read_optional(struct cbor *r, struct span *bytes)
{
	return cbor_null(r) || cbor_bytes(r, bytes);
}

static bool read_request(struct span in, struct request *q)
{
	*q = (struct request){.number = NONE};
	struct cbor r = cbor_open(in);
	size_t one, fields;
	if (cbor_check(in) != NULL)
		return false;
	if (cbor_text(&r, &q->name))
		return true;
	if (!cbor_map(&r, &one) || one != 1 || !cbor_text(&r, &q->name) || !cbor_map(&r, &fields))
		return false;
	while (fields--) {
		struct span field;
		bool good = cbor_text(&r, &field);
		if (!good)
			return false;
		if (span_is(field, SPAN("index")) || span_is(field, SPAN("range")))
			good = cbor_uint(&r, &q->number);
		else if (span_is(field, SPAN("data")))
			good = cbor_bytes(&r, &q->data);
		else if (span_is(field, SPAN("user_data")))
			good = read_optional(&r, &q->user_data);
		else if (span_is(field, SPAN("nonce")))
			good = read_optional(&r, &q->nonce);
		else if (span_is(field, SPAN("public_key")))
			good = read_optional(&r, &q->public_key);
		else
			good = false;
		if (!good)
			return false;
	}
	return true;
}

static void put_error(struct buf *out, const char *code)
{
	buf_clear(out);
	cbor_put_map(out, 1);
	cbor_put_text(out, "Error");
	cbor_put_text(out, code);
}

static void put_head(struct buf *out, const char *name, size_t fields)
{
	cbor_put_map(out, 1);
	cbor_put_text(out, name);
	cbor_put_map(out, fields);
}

static void put_field(struct buf *out, const char *name, const void *bytes, size_t n)
{
	cbor_put_text(out, name);
	cbor_put_bytes(out, (struct span){bytes, n});
}

static void put_number(struct buf *out, const char *name, uint64_t value)
{
	cbor_put_text(out, name);
	cbor_put_uint(out, value);
}

static void describe(struct soft *s, struct buf *out)
{
	size_t locked = 0;
	for (size_t i = 0; i < ATTESTATION_PCRS; i++)
		locked += s->locked[i];
	put_head(out, "DescribeNSM", 7);
	put_number(out, "version_major", 1);
	put_number(out, "version_minor", 0);
	put_number(out, "version_patch", 0);
	cbor_put_text(out, "module_id");
	cbor_put_text(out, MODULE_ID);
	put_number(out, "max_pcrs", ATTESTATION_PCRS);
	cbor_put_text(out, "locked_pcrs");
	cbor_put_array(out, locked);
	for (size_t i = 0; i < ATTESTATION_PCRS; i++)
		if (s->locked[i])
			cbor_put_uint(out, i);
	cbor_put_text(out, "digest");
	cbor_put_text(out, "SHA384");
}

static void get_random(struct buf *out)
{
	uint8_t random[NSM_RANDOM_MAX];
	CHECK(psa_generate_random(random, sizeof random) == PSA_SUCCESS);
	put_head(out, "GetRandom", 1);
	put_field(out, "random", random, sizeof random);
	mem_wipe(random, sizeof random);
}

static void describe_pcr(struct soft *s, size_t index, struct buf *out)
{
	put_head(out, "DescribePCR", 2);
	cbor_put_text(out, "lock");
	cbor_put_bool(out, s->locked[index]);
	put_field(out, "data", s->pcrs[index], SHA384_SIZE);
}

static void extend_pcr(struct soft *s, size_t index, struct span data, struct buf *out)
{
	if (s->locked[index]) {
		put_error(out, "ReadOnlyIndex");
		return;
	}
	uint8_t *pcr = s->pcrs[index];
	digest_sha384((struct span){(const char *)pcr, SHA384_SIZE}, data, pcr);
	put_head(out, "ExtendPCR", 1);
	put_field(out, "data", pcr, SHA384_SIZE);
}

static void lock_pcrs(struct soft *s, size_t first, size_t behind, const char *name, struct buf *out)
{
	for (size_t i = first; i < behind; i++)
		s->locked[i] = true;
	cbor_put_text(out, name);
}

/* The PCRs that are locked are in it, as on Nitro. */
static void put_document(struct soft *s, const struct request *q, int64_t now, struct buf *out)
{
	struct attestation a = {.module_id = SPAN(MODULE_ID),
				.timestamp = (uint64_t)now * 1000,
				.public_key = q->public_key,
				.user_data = q->user_data,
				.nonce = q->nonce};
	soft_ca_chain(s->ca, &a);
	for (size_t i = 0; i < ATTESTATION_PCRS; i++)
		if (s->locked[i])
			a.pcrs[i] = (struct span){(const char *)s->pcrs[i], SHA384_SIZE};
	attestation_write(&a, out);
}

static bool attest(struct soft *s, const struct request *q, struct buf *out, struct error *err)
{
	if (q->user_data.n > ATTESTATION_NONCE_SEND || q->nonce.n > ATTESTATION_NONCE_SEND ||
	    q->public_key.n > ATTESTATION_OPTIONAL_MAX) {
		put_error(out, "InputTooLarge");
		return true;
	}
	int64_t now = s->now ? s->now : (int64_t)time(NULL);
	struct buf payload, document;
	buf_init(&payload, COSE_PAYLOAD_MAX);
	buf_init(&document, NSM_RESPONSE_MAX);
	bool good = soft_ca_renew(s->ca, now, err);
	if (good) {
		put_document(s, q, now, &payload);
		good = cose_sign(&document, buf_span(&payload), soft_ca_key(s->ca), err);
	}
	if (good) {
		put_head(out, "Attestation", 1);
		put_field(out, "document", document.p, document.n);
	}
	buf_free(&payload);
	buf_free(&document);
	return good;
}

static bool answer(struct soft *s, struct span in, struct buf *out, struct error *err)
{
	struct request q;
	if (!read_request(in, &q)) {
		put_error(out, "InvalidOperation");
		return true;
	}
	bool has_index = q.number <= INDEX_MAX;
	if (span_is(q.name, SPAN("DescribeNSM")))
		describe(s, out);
	else if (span_is(q.name, SPAN("GetRandom")))
		get_random(out);
	else if (span_is(q.name, SPAN("Attestation")))
		return attest(s, &q, out, err);
	else if (span_is(q.name, SPAN("LockPCRs")) && q.number <= ATTESTATION_PCRS)
		lock_pcrs(s, 0, q.number, "LockPCRs", out);
	else if (span_is(q.name, SPAN("LockPCR")) && has_index)
		lock_pcrs(s, q.number, q.number + 1, "LockPCR", out);
	else if (span_is(q.name, SPAN("DescribePCR")) && has_index)
		describe_pcr(s, q.number, out);
	else if (span_is(q.name, SPAN("ExtendPCR")) && has_index && q.data.p)
		extend_pcr(s, q.number, q.data, out);
	else
		put_error(out, q.number == NONE ? "InvalidOperation" : "InvalidIndex");
	return true;
}

static bool soft_call(struct nsm *n, struct span request, struct buf *response, struct error *err)
{
	struct soft *s = container_of(n, struct soft, nsm);
	pthread_mutex_lock(&s->mutex);
	bool good = answer(s, request, response, err);
	pthread_mutex_unlock(&s->mutex);
	return good;
}

static void soft_close(struct nsm *n)
{
	struct soft *s = container_of(n, struct soft, nsm);
	soft_ca_free(s->ca);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

struct nsm *soft_open(const struct soft_options *options, struct error *err)
{
	struct soft *s = mem_zero(sizeof *s);
	s->nsm = (struct nsm){soft_call, soft_close, true};
	s->now = options->now;
	pthread_mutex_init(&s->mutex, NULL);
	for (size_t i = 0; i < LOCKED_AT_START; i++)
		s->locked[i] = true;
	for (size_t i = 0; i < countof(options->pcrs); i++) {
		if (!options->pcrs[i].p)
			continue;
		CHECK(options->pcrs[i].n == SHA384_SIZE);
		memcpy(s->pcrs[i], options->pcrs[i].p, SHA384_SIZE);
	}
	s->ca = soft_ca_new(s->now ? s->now : (int64_t)time(NULL), err);
	if (s->ca)
		return &s->nsm;
	soft_close(&s->nsm);
	return NULL;
}

struct span soft_root(const struct nsm *n)
{
	CHECK(n->software);
	struct attestation a;
	soft_ca_chain(((const struct soft *)((const char *)n - offsetof(struct soft, nsm)))->ca, &a);
	return a.bundle[0];
}

#endif

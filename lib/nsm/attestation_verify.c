/* Whether a document is to be believed: the steps of attestation.h, one function each. */
#include "base/check.h"
#include "nsm/attestation.h"
#include "nsm/chain.h"
#include "nsm/emulated.h"

/* AWS publishes it with the root certificate in "Verifying the root of trust" of the Nitro Enclaves guide. */
const uint8_t attestation_aws_root[SHA256_SIZE] = {
	0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
	0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b,
};

struct verification {
	struct span input;
	const struct attestation_wish *wish;
	struct attestation *doc;
	bool is_unsigned;		  /* and may be */
	uint8_t signer[ES384_POINT_SIZE]; /* once the chain is behind */
};

static bool verify_syntax(struct verification *v, struct refusal *why)
{
	v->is_unsigned = v->wish->allow_unsigned && emulated_parse(v->input, v->doc);
	return v->is_unsigned || attestation_parse(v->input, v->doc, why);
}

static bool verify_chain(struct verification *v, struct refusal *why)
{
	if (v->is_unsigned)
		return true;
	struct chain chain = {v->doc->certificate, v->doc->bundle, v->doc->bundle_count};
	const uint8_t *root = v->wish->root ? v->wish->root : attestation_aws_root;
	return chain_verify(&chain, root, v->wish->at, v->signer, why);
}

static bool verify_signature(struct verification *v, struct refusal *why)
{
	if (!v->is_unsigned && !cose_verify(&v->doc->envelope, v->signer))
		return refuse(why, REFUSE_SIGNATURE, "its signature is not by the key of its certificate");
	return true;
}

static bool verify_pcrs(struct verification *v, struct refusal *why)
{
	if (!v->wish->allow_debug && attestation_is_debug(v->doc))
		return refuse(why, REFUSE_DEBUG_MODE,
			      "PCR0, 1 or 2 is zero: the enclave runs in debug mode and hides nothing");
	for (unsigned i = 0; i < ATTESTATION_PCRS; i++) {
		struct span want = v->wish->pcrs[i], have = v->doc->pcrs[i];
		if (!want.p)
			continue;
		if (!have.p)
			return refuse(why, REFUSE_PCR, "PCR%u is not in it", i);
		if (!span_is(have, want))
			return refuse(why, REFUSE_PCR, "PCR%u is not the one asked for", i);
	}
	return true;
}

static bool verify_nonce(struct verification *v, struct refusal *why)
{
	struct span want = v->wish->nonce, have = v->doc->nonce;
	if (!want.p)
		return true;
	if (!have.p)
		return refuse(why, REFUSE_NONCE, "it has no nonce");
	if (!span_is(have, want))
		return refuse(why, REFUSE_NONCE, "its nonce is not the one asked for: it may be an old one");
	return true;
}

static bool verify_time(struct verification *v, struct refusal *why)
{
	int64_t age = v->wish->at - (int64_t)(v->doc->timestamp / 1000);
	if (age < -CHAIN_SKEW_SECONDS)
		return refuse(why, REFUSE_FUTURE, "it was made %lld seconds later", (long long)-age);
	if (v->wish->max_age && age > v->wish->max_age)
		return refuse(why, REFUSE_AGE, "it is %lld seconds old, more than the %lld allowed",
			      (long long)age, (long long)v->wish->max_age);
	return true;
}

static bool verify_claims(struct verification *v, struct refusal *why)
{
	if (!v->wish->claims.p)
		return true;
	uint8_t digest[SHA256_SIZE];
	digest_sha256(v->wish->claims, digest);
	if (!v->doc->user_data.p)
		return refuse(why, REFUSE_CLAIMS,
			      "it has no user_data, which should be the digest of the claims");
	if (!span_is(v->doc->user_data, (struct span){(const char *)digest, sizeof digest}))
		return refuse(why, REFUSE_CLAIMS, "its user_data is not the SHA-256 of the claims shown");
	return true;
}

static const struct {
	const char *name;
	bool (*verify)(struct verification *v, struct refusal *why);
} steps[ATTESTATION_STEP_COUNT] = {
	[ATTESTATION_STEP_SYNTAX] = {"syntax", verify_syntax},
	[ATTESTATION_STEP_CHAIN] = {"chain", verify_chain},
	[ATTESTATION_STEP_SIGNATURE] = {"signature", verify_signature},
	[ATTESTATION_STEP_PCRS] = {"pcrs", verify_pcrs},
	[ATTESTATION_STEP_NONCE] = {"nonce", verify_nonce},
	[ATTESTATION_STEP_TIME] = {"time", verify_time},
	[ATTESTATION_STEP_CLAIMS] = {"claims", verify_claims},
};

const char *attestation_step_name(enum attestation_step step)
{
	CHECK(step < ATTESTATION_STEP_COUNT);
	return steps[step].name;
}

bool attestation_verify(struct span document, const struct attestation_wish *wish,
			struct attestation_report *report)
{
	struct verification v = {.input = document, .wish = wish, .doc = &report->document};
	report->why = (struct refusal){.reason = REFUSE_NONE};
	for (report->failed = 0; report->failed < ATTESTATION_STEP_COUNT; report->failed++)
		if (!steps[report->failed].verify(&v, &report->why))
			break;
	report->is_unsigned = v.is_unsigned;
	return report->failed == ATTESTATION_STEP_COUNT;
}

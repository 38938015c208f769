#include "verify_judge.h"

#include <time.h>

#include "nsm/input.h"
#include "proxy/policy.h"
#include "tls/tls_conf.h"
#include "verify_receipt.h"

#define FILE_MAX (64u << 20) /* policies, trust stores, executables */

static bool fail(struct verify_result *r, int step)
{
	r->failed = step;
	r->good = false;
	return false;
}

/* ---- files ---- */

/* What a policy or trust store comes to when it is read, for that is what the enclave claims. */
static bool canonical_digest(enum claim c, const char *path, struct span file, uint8_t out[SHA256_SIZE])
{
	struct error err;
	if (c == CLAIM_POLICY) {
		struct policy p;
		bool good = policy_load_text(&p, "policy", file, &err);
		memcpy(out, p.digest, SHA256_SIZE);
		policy_free(&p);
		return good;
	}
	if (c == CLAIM_TRUST_STORE) {
		struct tls_conf *conf =
			tls_conf_new(&(struct tls_options){.ca_files = (const char *[]){path, NULL}}, &err);
		if (conf)
			tls_conf_trust_sha256(conf, out);
		tls_conf_free(conf);
		return conf != NULL;
	}
	return false;
}

/* *same: the claim is the digest of the file as it stands, or of what it comes to. */
static bool compare_file(const struct claims *claims, enum claim c, const char *path, bool *same,
			 struct error *err)
{
	struct claims shown = {.version = ""};
	uint8_t canonical[SHA256_SIZE];
	struct buf file;
	buf_init(&file, FILE_MAX);
	bool was_read = input_read(path, &file, err);
	struct span bytes = file.n ? buf_span(&file) : SPAN("");
	if (was_read) {
		claims_set(&shown, c, bytes);
		*same = claims->has[c] && (memcmp(claims->sha256[c], shown.sha256[c], SHA256_SIZE) == 0 ||
					   (canonical_digest(c, path, bytes, canonical) &&
					    memcmp(claims->sha256[c], canonical, SHA256_SIZE) == 0));
	}
	buf_free(&file);
	return was_read;
}

static bool check_files(const struct verify_args *args, struct verify_result *r, struct error *err)
{
	for (enum claim i = 0; r->good && i < CLAIM_COUNT; i++) {
		bool same;
		if (!args->claimed_files[i])
			continue;
		if (!compare_file(&r->claims, i, args->claimed_files[i], &same, err))
			return false;
		if (!same) {
			refuse(&r->why, REFUSE_CLAIMED_FILE, "the claimed %s is not the file shown",
			       claim_name(i));
			fail(r, VERIFY_STEP_FILES);
		}
	}
	return true;
}

/* ---- document, claims, channel ---- */

static bool check_document(const struct verify_shown *shown, struct verify_result *r)
{
	struct attestation_report report;
	bool good = attestation_verify(shown->document, &r->wish, &report);
	r->document = report.document;
	r->why = report.why;
	r->is_unsigned = report.is_unsigned;
	return good || fail(r, (int)report.failed);
}

static bool check_claims(const struct verify_shown *shown, struct verify_result *r)
{
	struct error err;
	if (!shown->claims.p || claims_parse(shown->claims, &r->claims, &err))
		return true;
	refuse(&r->why, REFUSE_CLAIMS, "%s", err.text);
	return fail(r, ATTESTATION_STEP_CLAIMS);
}

/*
 * The handshake proved that the other end of this very connection has the key. If it is the claimed one, the
 * document proves where that key is: nobody can stand between.
 */
static bool check_channel(const struct verify_shown *shown, struct verify_result *r)
{
	if (!shown->key)
		return true;
	if (!r->claims.has[CLAIM_INGRESS_KEY])
		refuse(&r->why, REFUSE_CHANNEL, "the enclave claims no key that ends TLS");
	else if (memcmp(r->claims.sha256[CLAIM_INGRESS_KEY], shown->key, SHA256_SIZE) != 0)
		refuse(&r->why, REFUSE_CHANNEL,
		       "this TLS session ends at another key than the enclave's: somebody stands between");
	else
		return true;
	return fail(r, VERIFY_STEP_CHANNEL);
}

static void note_asked(const struct verify_args *args, const struct verify_shown *shown,
		       struct verify_result *r)
{
	for (int i = 0; i < VERIFY_STEPS; i++)
		r->asked[i] = true;
	r->asked[ATTESTATION_STEP_NONCE] = args->wish.nonce.p != NULL;
	r->asked[ATTESTATION_STEP_CLAIMS] = shown->claims.p != NULL;
	r->asked[VERIFY_STEP_CHANNEL] = shown->key != NULL;
	r->asked[VERIFY_STEP_RECEIPT] = shown->receipt.p != NULL;
	r->asked[VERIFY_STEP_EXCHANGE] = args->target || args->body || args->request_body;
	r->asked[VERIFY_STEP_FILES] = false;
	for (int i = 0; i < CLAIM_COUNT; i++)
		if (args->claimed_files[i])
			r->asked[VERIFY_STEP_FILES] = true;
}

bool verify_judge(const struct verify_args *args, const struct verify_shown *shown, struct verify_result *r,
		  struct error *err)
{
	*r = (struct verify_result){.good = true, .failed = VERIFY_STEPS, .wish = args->wish};
	r->wish.claims = shown->claims;
	if (!args->has_at)
		r->wish.at = time(NULL);
	note_asked(args, shown, r);
	if (!check_document(shown, r) || !check_claims(shown, r) || !check_channel(shown, r))
		return true;
	if (!check_files(args, r, err))
		return false;
	return !r->good || !shown->receipt.p || verify_receipt_judge(args, shown->receipt, r, err);
}

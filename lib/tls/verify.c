/*
 * The leaf is judged each time. The search for a path to a root, unless chain_cache.h knows
 * that there is one:
 *
 *	path[0] = leaf
 *	extend(n): for each issuer of path[n-1]: roots first, then what the peer sent
 *	             usable as CA at this depth?  ->  names below allowed?  ->  signature?
 *	             a root: done.    otherwise: path[n] = it, extend(n + 1)
 *
 * Cheap questions come first, the signature last. The reason that is reported is that of
 * the attempt which came furthest; without any, that no issuer is known.
 */
#include "tls/verify.h"

#include <mbedtls/md.h>
#include <mbedtls/ssl.h>
#include <stdio.h>

#include "base/check.h"
#include "tls/cert_view.h"
#include "tls/name_constraints.h"
#include "tls/server_name.h"
#include "tls/tls_error.h"
#include "tls/verify_cert.h"

#define SIGNATURE_BUDGET  64
#define CLIENT_BUDGET	  16 /* anybody can come and send a chain */
#define CONSTRAINT_BUDGET 100000

/* One answer of check_signature, kept: the search comes by the same pair again. */
struct verdict {
	const mbedtls_x509_crt *child, *issuer;
	bool good;
};

struct search {
	const struct verify_request *rq;
	struct cert_view path[VERIFY_MAX_PATH];
	size_t n;
	unsigned names_left, steps_left, budget;
	struct verdict verdicts[SIGNATURE_BUDGET];
	unsigned checked;
	bool exhausted;
	struct error why; /* of the longest attempt */
	size_t why_depth;
};

static void note(struct search *s, const char *which, const struct error *err)
{
	if (s->n < s->why_depth)
		return;
	s->why_depth = s->n;
	s->why = *err;
	error_wrap(&s->why, "%s", which);
}

static void note_text(struct search *s, const char *which, const char *text)
{
	struct error err;
	error_set(&err, ERR_TLS_CERTIFICATE, "%s", text);
	note(s, which, &err);
}

static bool strong_hash(mbedtls_md_type_t md)
{
	return md == MBEDTLS_MD_SHA256 || md == MBEDTLS_MD_SHA384 || md == MBEDTLS_MD_SHA512;
}

static bool signature_is_good(const mbedtls_x509_crt *child, const mbedtls_x509_crt *issuer)
{
	mbedtls_md_type_t md = child->MBEDTLS_PRIVATE(sig_md);
	mbedtls_pk_type_t type = child->MBEDTLS_PRIVATE(sig_pk);
	const mbedtls_x509_buf *sig = &child->MBEDTLS_PRIVATE(sig);
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(md);
	uint8_t hash[MBEDTLS_MD_MAX_SIZE];
	if (!strong_hash(md) || !info || mbedtls_md(info, child->tbs.p, child->tbs.len, hash) != 0)
		return false;
	/* mbedTLS takes the key of a const certificate as its own to use; it does not change it. */
	mbedtls_pk_context *pk = (mbedtls_pk_context *)(uintptr_t)&issuer->pk;
	if (!mbedtls_pk_can_do(pk, type))
		return false;
	int rc = mbedtls_pk_verify_ext(type, child->MBEDTLS_PRIVATE(sig_opts), pk, md, hash,
				       mbedtls_md_get_size(info), sig->p, sig->len);
	tls_check_memory(rc);
	return rc == 0;
}

static bool check_signature(struct search *s, const mbedtls_x509_crt *child, const mbedtls_x509_crt *issuer)
{
	for (unsigned i = 0; i < s->checked; i++)
		if (s->verdicts[i].child == child && s->verdicts[i].issuer == issuer)
			return s->verdicts[i].good;
	if (s->checked == s->budget) {
		s->exhausted = true;
		return false;
	}
	bool good = signature_is_good(child, issuer);
	s->verdicts[s->checked++] = (struct verdict){child, issuer, good};
	return good;
}

/* CAs between this one and the leaf; those that name themselves as issuer do not count. */
static int intermediates_below(const struct search *s)
{
	int n = 0;
	for (size_t i = 1; i < s->n; i++)
		n += !s->path[i].self_issued;
	return n;
}

static bool allows_names_below(struct search *s, const struct cert_view *ca, struct error *err)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0 && s->path[i].self_issued)
			continue;
		if (!name_constraints_allow(ca, &s->path[i], &s->names_left, err))
			return false;
	}
	return true;
}

/* authorityKeyIdentifier and subjectKeyIdentifier, where both are given (RFC 5280 section 4.2.1.1). */
static bool key_ids_agree(const mbedtls_x509_crt *child, const mbedtls_x509_crt *issuer)
{
	const mbedtls_x509_buf *want = &child->authority_key_id.keyIdentifier,
			       *have = &issuer->subject_key_id;
	return !want->len || !have->len ||
	       (want->len == have->len && memcmp(want->p, have->p, have->len) == 0);
}

static bool usable(struct search *s, struct cert_view *v, const mbedtls_x509_crt *crt, bool is_root)
{
	const char *which = is_root ? "root certificate" : "intermediate certificate";
	const mbedtls_x509_crt *child = s->path[s->n - 1].crt;
	struct error err;
	if (!cert_view_read(v, crt, &err) || !verify_issuer(v, is_root, !s->rq->host, s->rq->at, &err) ||
	    !allows_names_below(s, v, &err)) {
		note(s, which, &err);
		return false;
	}
	if (v->path_len >= 0 && intermediates_below(s) > v->path_len) {
		note_text(s, which, "the path below it is longer than it allows");
		return false;
	}
	if (!key_ids_agree(child, crt) || (v->self_issued && is_root && !key_ids_agree(crt, crt))) {
		note_text(s, which, "the key identifiers do not agree");
		return false;
	}
	if (!strong_hash(child->MBEDTLS_PRIVATE(sig_md))) {
		note_text(s, "chain", "a signature uses a hash weaker than SHA-256");
		return false;
	}
	if (!check_signature(s, child, crt)) {
		note_text(s, "chain", "a signature is not its issuer's");
		return false;
	}
	return true;
}

static bool in_path(const struct search *s, const mbedtls_x509_crt *crt)
{
	for (size_t i = 0; i < s->n; i++) {
		const mbedtls_x509_crt *have = s->path[i].crt;
		if (have == crt ||
		    (have->raw.len == crt->raw.len && memcmp(have->raw.p, crt->raw.p, crt->raw.len) == 0))
			return true;
	}
	return false;
}

static bool try_root(void *arg, const mbedtls_x509_crt *root)
{
	struct search *s = arg;
	if (!usable(s, &s->path[s->n], root, true))
		return false;
	s->n++;
	return true;
}

static bool extend(struct search *s)
{
	if (s->n == VERIFY_MAX_PATH) {
		note_text(s, "chain", "longer than allowed");
		return false;
	}
	struct span issuer = cert_issuer(s->path[s->n - 1].crt);
	if (trust_find(s->rq->trust, issuer, try_root, s))
		return true;
	for (const mbedtls_x509_crt *c = s->rq->chain->next; c; c = c->next) {
		if (s->exhausted || s->steps_left == 0)
			return false;
		if (!c->raw.p || !span_is(cert_subject(c), issuer) || in_path(s, c))
			continue;
		s->steps_left--;
		if (!usable(s, &s->path[s->n], c, false))
			continue;
		s->n++;
		if (extend(s))
			return true;
		s->n--;
	}
	return false;
}

/* The leaf itself may have been put into the trust store, byte for byte. */
static bool is_same(void *arg, const mbedtls_x509_crt *root)
{
	const mbedtls_x509_crt *leaf = arg;
	return root->raw.len == leaf->raw.len && memcmp(root->raw.p, leaf->raw.p, leaf->raw.len) == 0;
}

static bool pinned(const struct search *s)
{
	const mbedtls_x509_crt *leaf = s->rq->chain;
	return trust_find(s->rq->trust, cert_subject(leaf), is_same, (void *)(uintptr_t)leaf);
}

static struct chain_verdict verdict_of(const struct search *s)
{
	struct chain_verdict v = {.length = s->n, .not_after = INT64_MAX};
	for (size_t i = 0; i < s->n; i++) {
		int64_t end = verify_seconds(&s->path[i].crt->valid_to);
		v.not_after = end < v.not_after ? end : v.not_after;
	}
	return v;
}

/* The path, from the cache or by the search. */
static bool find_path(struct search *s, struct chain_verdict *v)
{
	struct chain_cache *cache = s->rq->cache;
	uint8_t key[32];
	if (cache) {
		CHECK(chain_cache_is_for(cache, s->rq->trust));
		chain_cache_key(cache, s->rq->chain, s->rq->host, key);
		if (chain_cache_find(cache, key, s->rq->at, v))
			return true;
	}
	if (!pinned(s) && !extend(s))
		return false;
	*v = verdict_of(s);
	if (cache)
		chain_cache_put(cache, key, s->rq->at, v);
	return true;
}

static size_t count_certs(const mbedtls_x509_crt *c)
{
	size_t n = 0;
	for (; c; c = c->next)
		n += c->raw.p != NULL;
	return n;
}

static bool refuse(const struct search *s, struct verify_result *result, uint8_t alert, const char *text,
		   struct error *err)
{
	result->alert = alert;
	return error_set_hop(err, ERR_TLS_CERTIFICATE, s->rq->host ? HOP_SERVICE : HOP_CLIENT, "%s", text);
}

static bool refuse_path(struct search *s, struct verify_result *result, struct error *err)
{
	if (s->exhausted || s->steps_left == 0)
		return refuse(s, result, MBEDTLS_SSL_ALERT_MSG_BAD_CERT,
			      "the chain takes too much work to verify", err);
	if (s->why.kind)
		return refuse(s, result, MBEDTLS_SSL_ALERT_MSG_BAD_CERT, s->why.text, err);
	return refuse(s, result, MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA,
		      s->path[0].self_issued ? "self-signed, and not in the trust store"
					     : "the issuer is not known: no path to a trusted root",
		      err);
}

/* The leaf alone: readable, and what it has to be. */
static bool check_leaf(struct search *s, struct verify_result *result, struct error *err)
{
	const struct verify_request *rq = s->rq;
	struct server_name name;
	if (rq->host && !server_name_init(&name, rq->host))
		return refuse(s, result, MBEDTLS_SSL_ALERT_MSG_BAD_CERT,
			      "the host is neither a DNS name nor an IP address", err);
	uint8_t alert = MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
	if (cert_view_read(&s->path[0], rq->chain, &s->why)) {
		if (verify_leaf(&s->path[0], rq->host ? &name : NULL, rq->at, &s->why))
			return true;
		alert = verify_leaf_alert(&s->path[0], !rq->host, rq->at);
	}
	error_wrap(&s->why, rq->host ? "server certificate" : "client certificate");
	return refuse(s, result, alert, s->why.text, err);
}

bool verify_chain(const struct verify_request *rq, struct verify_result *result, struct error *err)
{
	struct search s = {.rq = rq,
			   .n = 1,
			   .names_left = CONSTRAINT_BUDGET,
			   .steps_left = 16 * SIGNATURE_BUDGET,
			   .budget = rq->host ? SIGNATURE_BUDGET : CLIENT_BUDGET};
	struct verify_result unwanted;
	if (!result)
		result = &unwanted;
	if (!rq->chain || !rq->chain->raw.p)
		return refuse(&s, result, MBEDTLS_SSL_ALERT_MSG_CERT_REQUIRED,
			      rq->host ? "the service sent no certificate" : "the client sent no certificate",
			      err);
	if (count_certs(rq->chain) > VERIFY_MAX_CERTS)
		return refuse(&s, result, MBEDTLS_SSL_ALERT_MSG_BAD_CERT,
			      rq->host ? "the service sent too many certificates"
				       : "the client sent too many certificates",
			      err);
	if (!check_leaf(&s, result, err))
		return false;
	struct chain_verdict found;
	if (!find_path(&s, &found))
		return refuse_path(&s, result, err);
	*result = (struct verify_result){
		.length = found.length, .not_after = found.not_after, .signatures = s.checked};
	return true;
}

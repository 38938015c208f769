#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "nsm/soft.h"
#include "proxy/attest_claims.h"
#include "proxy/attest_impl.h"
#include "proxy/health.h"
#include "proxy/local.h"

#define NSM_PATH "/dev/nsm"

/* ---- requests ---- */

static bool admit(struct attest *a, struct exchange *x, struct error *err)
{
	if (!a->nsm)
		return error_set(err, ERR_NOT_IMPLEMENTED,
				 "there is no Nitro Security Module here, so no document (setting nsm)");
	if (a->waiting >= ATTEST_WAITING_MAX)
		return error_set(err, ERR_RATE, "too many wait for a document");
	struct ratelimit_client *all =
		ratelimit_begin(a->rate, "all", loop_now(a->loop), &exchange_info(x)->retry_after, err);
	if (!all)
		return error_set(err, ERR_RATE, "more documents are asked for than are made in a second");
	ratelimit_done(a->rate, all);
	return true;
}

static bool reply_root(struct attest *a, struct exchange *x, struct error *err)
{
#ifndef NP_ENCLAVE_BUILD
	if (a->nsm && a->nsm->software) {
		local_answer(x, SPAN("application/pkix-cert"), soft_root(a->nsm));
		return true;
	}
#else
	(void)a, (void)x;
#endif
	return error_set(err, ERR_NOT_FOUND, "the root is AWS's, which comes with every nitroproxy");
}

static bool reply(struct attest *a, struct exchange *x, struct making *m, struct error *err)
{
	switch (m->query.what) {
	case ATTEST_DOCUMENT:
		if (!admit(a, x, err))
			return false;
		m->x = x;
		attest_enqueue(a, m);
		return true;
	case ATTEST_CLAIMS:
		local_answer(x, SPAN("text/plain; charset=utf-8"), making_claims(m));
		break;
	case ATTEST_ROOT:
		if (!reply_root(a, x, err))
			return false;
	}
	making_free(m);
	return true;
}

void attest_reply(struct attest *a, struct exchange *x, const uint8_t *key)
{
	struct making *m = making_new(a, key);
	struct exchange_info *info = exchange_info(x);
	struct error err;
	if (attest_query_parse(info->target.path, info->request, &m->query, &err) && reply(a, x, m, &err))
		return;
	making_free(m);
	err.hop = err.kind == ERR_NOT_IMPLEMENTED ? HOP_ENCLAVE : HOP_CLIENT;
	exchange_refuse(x, &err);
}

void attest_done(struct attest *a, const struct exchange *x)
{
	if (a->running && a->running->x == x)
		a->running->x = NULL;
	LIST_EACH (it, &a->queue) {
		struct making *m = container_of(it, struct making, link);
		if (m->x != x)
			continue;
		making_free(m);
		a->waiting--;
	}
}

void attest_set_key(struct attest *a, const uint8_t key[HASH_SIZE])
{
	a->claims.has[CLAIM_INGRESS_KEY] = true;
	memcpy(a->claims.sha256[CLAIM_INGRESS_KEY], key, SHA256_SIZE);
}

bool attest_set_receipt_key(struct attest *a, const uint8_t key[HASH_SIZE], struct error *err)
{
	if (!a->nsm)
		return error_set(err, ERR_CONFIG,
				 "receipts: there is no Nitro Security Module here to vouch for the key that "
				 "signs them (setting nsm)");
	a->claims.has[CLAIM_RECEIPT_KEY] = true;
	memcpy(a->claims.sha256[CLAIM_RECEIPT_KEY], key, SHA256_SIZE);
	return true;
}

void attest_status(const struct attest *a, struct buf *json)
{
	const char *nsm = !a->nsm ? "none" : a->nsm->software ? "software" : "device";
	buf_printf(json, "\"attestation\":{\"nsm\":\"%s\"", nsm);
	if (a->told) {
		buf_add_text(json, ",\"module\":");
		health_text(json, span_of(a->module));
		buf_printf(json, ",\"debug\":%s", a->debug ? "true" : "false");
	}
	buf_add_text(json, "}");
}

/* ---- life ---- */

#ifndef NP_ENCLAVE_BUILD
/* In place of measurements of an image: of the executable, the policy and the settings. */
static bool open_software(struct attest *a, struct error *err)
{
	static const enum claim measured[3] = {CLAIM_BINARY, CLAIM_POLICY, CLAIM_CONFIG};
	uint8_t pcrs[3][SHA384_SIZE];
	struct soft_options o = {.now = 0};
	for (int i = 0; i < 3; i++) {
		struct span digest = {(const char *)a->claims.sha256[measured[i]], SHA256_SIZE};
		digest_sha384(digest, (struct span){"", 0}, pcrs[i]);
		o.pcrs[i] = (struct span){(const char *)pcrs[i], SHA384_SIZE};
	}
	a->nsm = soft_open(&o, err);
	return a->nsm != NULL;
}
#else
static bool open_software(struct attest *a, struct error *err)
{
	(void)a;
	return error_set(err, ERR_CONFIG, "nsm: an enclave build has no software NSM");
}
#endif

static bool open_nsm(struct attest *a, enum nsm_choice choice, struct error *err)
{
	if (choice == NSM_SOFTWARE)
		return open_software(a, err);
	if (choice == NSM_OFF || (choice == NSM_AUTO && access(NSM_PATH, F_OK) != 0))
		return true;
	a->nsm = nsm_open(NULL, err);
	return a->nsm || error_wrap(err, "nsm");
}

/* The first document, from the loop: no thread before the process has entered its sandbox. */
static void on_begin(struct task *t)
{
	struct attest *a = container_of(t, struct attest, begin);
	attest_enqueue(a, making_new(a, NULL));
}

struct attest *attest_new(struct loop *l, const struct settings *s, const struct policy *policy,
			  const struct tls_conf *tls, struct ratelimit *rate, struct error *err)
{
	struct attest *a = mem_zero(sizeof *a);
	a->loop = l;
	list_init(&a->queue);
	a->rate = rate;
	if (!attest_claims(&a->claims, s, policy, tls, err) || !open_nsm(a, s->nsm, err)) {
		attest_free(a);
		return NULL;
	}
	if (a->nsm)
		loop_post(l, &a->begin, on_begin);
	return a;
}

/* The job that still ran when attest went has ended: nobody uses the NSM any more. */
static void on_abandoned(void *arg)
{
	struct making *m = arg;
	nsm_close(m->nsm);
	making_free(m);
}

void attest_free(struct attest *a)
{
	if (!a)
		return;
	timer_stop(a->loop, &a->patience);
	task_cancel(&a->begin);
	LIST_EACH (it, &a->queue)
		making_free(container_of(it, struct making, link));
	if (a->running) {
		a->running->x = NULL;
		job_abandon(a->job, on_abandoned);
	} else {
		nsm_close(a->nsm);
	}
	free(a);
}

#include "proxy/attest.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "nsm/nsm.h"
#include "nsm/soft.h"
#include "proxy/attest_claims.h"
#include "proxy/attest_query.h"
#include "proxy/base64.h"
#include "proxy/health.h"
#include "proxy/local.h"
#include "proxy/ratelimit.h"

#define NSM_PATH "/dev/nsm"

/* One document: asked for, being made, or made. */
struct making {
	struct list link;
	struct attest *attest; /* NULL: it has gone */
	struct nsm *nsm;       /* borrowed, unless attest has gone: then this is its last user and owns it */
	struct exchange *x;    /* NULL: the one at start, or it has gone */
	struct attest_query query;
	uint64_t since;
	char claims[CLAIMS_MAX]; /* what user_data is the digest of */
	size_t claims_len;
	struct buf document;
	bool made;
	struct error err;
};

struct attest {
	struct loop *loop;
	struct nsm *nsm; /* NULL: there is none */
	struct claims claims;
	struct ratelimit *rate;
	struct list queue;
	unsigned waiting;
	struct making *running;
	struct job *job;
	struct timer patience;
	struct task begin;
	bool told; /* the first document was made; these are its facts */
	char module[ATTESTATION_MODULE_MAX + 1];
	bool debug;
};

static void write_claims(const struct attest *a, const uint8_t *key, struct making *m)
{
	struct claims c = a->claims;
	struct buf text;
	struct error err;
	if (key) {
		c.has[CLAIM_INGRESS_KEY] = true;
		memcpy(c.sha256[CLAIM_INGRESS_KEY], key, SHA256_SIZE);
	}
	buf_init(&text, CLAIMS_MAX);
	CHECK(claims_write(&c, &text, &err)); /* the version is a constant of the build */
	memcpy(m->claims, text.p, text.n);
	m->claims_len = text.n;
	buf_free(&text);
}

static struct span claims_of(const struct making *m)
{
	return (struct span){m->claims, m->claims_len};
}

/* ---- in a thread ---- */

static void on_work(void *arg)
{
	struct making *m = arg;
	uint8_t digest[SHA256_SIZE];
	digest_sha256(claims_of(m), digest);
	struct nsm_evidence e = {.user_data = {(const char *)digest, sizeof digest}};
	if (m->query.nonce_len)
		e.nonce = (struct span){(const char *)m->query.nonce, m->query.nonce_len};
	m->made = nsm_attest(m->nsm, &e, &m->document, &m->err);
}

/* ---- answers ---- */

static void making_free(struct making *m)
{
	list_remove(&m->link);
	buf_free(&m->document);
	free(m);
}

static void reply_json(const struct making *m)
{
	struct buf json;
	buf_init(&json, BLOCK_SIZE);
	buf_add_text(&json, "{\"document\":\"");
	base64_encode(buf_span(&m->document), &json);
	buf_add_text(&json, "\",\"claims\":");
	health_text(&json, claims_of(m));
	buf_add_text(&json, "}\n");
	local_answer(m->x, SPAN("application/json"), buf_span(&json));
	buf_free(&json);
}

static void answer(struct making *m)
{
	struct exchange *x = m->x;
	m->x = NULL;
	if (!x)
		return;
	if (!m->made) {
		m->err.hop = HOP_ENCLAVE;
		exchange_refuse(x, &m->err);
		return;
	}
	m->x = x;
	if (m->query.json)
		reply_json(m);
	else
		local_answer(x, SPAN("application/cbor"), buf_span(&m->document));
}

/* The first one, without a nonce. What goes wrong here will do so for everybody: say it at start. */
static void tell(struct attest *a, const struct making *m)
{
	struct attestation document;
	struct refusal why;
	if (!m->made) {
		log_write(LOG_ERROR, "attestation", LOG_ERR(&m->err));
		return;
	}
	if (!attestation_parse(buf_span(&m->document), &document, &why)) {
		log_write(LOG_ERROR, "attestation", LOG_STR("detail", why.text));
		return;
	}
	a->told = true;
	a->debug = attestation_is_debug(&document);
	memcpy(a->module, document.module_id.p, document.module_id.n);
	log_write(LOG_INFO, "attestation", LOG_STR("nsm", a->nsm->software ? "software" : "device"),
		  LOG_STR("module", a->module), LOG_BOOL("debug", a->debug));
	if (a->debug)
		log_write(LOG_WARN, "insecure",
			  LOG_STR("detail",
				  "this enclave runs in debug mode: it proves nothing, and the host "
				  "can look inside"));
}

/* ---- the queue ---- */

static void run_next(struct attest *a);

static void on_made(void *arg)
{
	struct making *m = arg;
	struct attest *a = m->attest;
	if (!m->query.nonce_len)
		tell(a, m);
	a->running = NULL;
	a->job = NULL;
	answer(m);
	making_free(m);
	run_next(a);
}

static void refuse_slow(struct exchange **x)
{
	struct exchange *slow = *x;
	struct error err;
	*x = NULL;
	error_set_hop(&err, ERR_TIMEOUT, HOP_ENCLAVE, "the NSM has not answered within %d s",
		      ATTEST_PATIENCE_MS / 1000);
	if (slow)
		exchange_refuse(slow, &err);
}

static void on_patience(struct timer *t);

/* The oldest is at the front, so it is its time that runs out first. */
static void watch(struct attest *a, struct making *oldest)
{
	uint64_t waited = loop_now(a->loop) - oldest->since;
	timer_start(a->loop, &a->patience, waited < ATTEST_PATIENCE_MS ? ATTEST_PATIENCE_MS - waited : 1,
		    on_patience);
}

static void on_patience(struct timer *t)
{
	struct attest *a = container_of(t, struct attest, patience);
	if (a->running)
		refuse_slow(&a->running->x);
	LIST_EACH (it, &a->queue) {
		struct making *m = container_of(it, struct making, link);
		if (loop_now(a->loop) - m->since < ATTEST_PATIENCE_MS) {
			watch(a, m);
			return;
		}
		refuse_slow(&m->x);
		making_free(m);
		a->waiting--;
	}
}

static void run_next(struct attest *a)
{
	timer_stop(a->loop, &a->patience);
	if (list_empty(&a->queue))
		return;
	struct making *m = container_of(a->queue.next, struct making, link);
	list_remove(&m->link);
	a->waiting--;
	a->running = m;
	watch(a, m);
	a->job = job_start(a->loop, on_work, on_made, m);
}

static void enqueue(struct attest *a, struct making *m)
{
	m->attest = a;
	m->nsm = a->nsm;
	m->since = loop_now(a->loop);
	list_append(&a->queue, &m->link);
	a->waiting++;
	if (!a->running)
		run_next(a);
	else if (!timer_active(&a->patience))
		watch(a, m);
}

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
		enqueue(a, m);
		return true;
	case ATTEST_CLAIMS:
		local_answer(x, SPAN("text/plain; charset=utf-8"), claims_of(m));
		break;
	case ATTEST_ROOT:
		if (!reply_root(a, x, err))
			return false;
	}
	making_free(m);
	return true;
}

static struct making *making_new(const struct attest *a, const uint8_t *key)
{
	struct making *m = mem_zero(sizeof *m);
	buf_init(&m->document, NSM_RESPONSE_MAX);
	write_claims(a, key, m);
	return m;
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
	enqueue(a, making_new(a, NULL));
}

struct attest *attest_new(struct loop *l, const struct settings *s, const struct policy *policy,
			  const struct tls_conf *tls, struct error *err)
{
	struct attest *a = mem_zero(sizeof *a);
	a->loop = l;
	list_init(&a->queue);
	a->rate = ratelimit_new(
		&(struct ratelimit_settings){.per_second = s->limits.attestation_rate, .clients = 1});
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
	ratelimit_free(a->rate);
	if (a->running) {
		a->running->x = NULL;
		job_abandon(a->job, on_abandoned);
	} else {
		nsm_close(a->nsm);
	}
	free(a);
}

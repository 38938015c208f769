#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proxy/attest_impl.h"
#include "proxy/base64.h"
#include "proxy/health.h"
#include "proxy/local.h"

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

struct making *making_new(const struct attest *a, const uint8_t *key)
{
	struct making *m = mem_zero(sizeof *m);
	buf_init(&m->document, NSM_RESPONSE_MAX);
	write_claims(a, key, m);
	return m;
}

void making_free(struct making *m)
{
	list_remove(&m->link);
	buf_free(&m->document);
	free(m);
}

/* ---- in a thread ---- */

static void on_work(void *arg)
{
	struct making *m = arg;
	uint8_t digest[SHA256_SIZE];
	digest_sha256(making_claims(m), digest);
	struct nsm_evidence e = {.user_data = {(const char *)digest, sizeof digest}};
	if (m->query.nonce_len)
		e.nonce = (struct span){(const char *)m->query.nonce, m->query.nonce_len};
	m->made = nsm_attest(m->nsm, &e, &m->document, &m->err);
}

/* ---- answers ---- */

static void reply_json(const struct making *m)
{
	struct buf json;
	buf_init(&json, BLOCK_SIZE);
	buf_add_text(&json, "{\"document\":\"");
	base64_encode(buf_span(&m->document), &json);
	buf_add_text(&json, "\",\"claims\":");
	health_text(&json, making_claims(m));
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
		m->err.kind = ERR_UNAVAILABLE; /* whatever is wrong with the device: it is no gateway's fault,
						  503 */
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

void attest_enqueue(struct attest *a, struct making *m)
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

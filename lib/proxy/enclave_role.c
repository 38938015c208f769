#include "base/mem.h"
#include "proxy/account.h"
#include "proxy/enclave_impl.h"
#include "proxy/local.h"

#define AGENT "nitroproxy-enclave"
#define PIPES 128 /* for CONNECTs in bulk at a time; more go on without */

/* ---- requests ---- */

static bool judge(struct enclave *e, struct exchange *x, struct error *err)
{
	struct exchange_info *info = exchange_info(x);
	const struct target *t = &info->target;
	struct policy_verdict v;
	if (t->kind == TARGET_URL && !t->https && !e->settings->allow_plain_http)
		return error_set_hop(
			err, ERR_DENIED, HOP_ENCLAVE,
			"http:// targets can be read and altered on their way; use https://, or set "
			"allow_plain_http");
	if (t->kind == TARGET_URL && t->https && e->around.clock_good &&
	    !e->around.clock_good(e->around.arg, err))
		return false;
	struct policy_request r = {
		.host = t->host, .port = t->port, .method = info->request->method, .path = t->path};
	policy_judge(&e->policy, &r, &v);
	if (v.denied && v.pass)
		log_write(LOG_WARN, "the policy would deny this", LOG_ERR(&v.why));
	*err = v.why;
	err->hop = HOP_ENCLAVE;
	return v.pass;
}

/* The request as the service shall see it (RFC 9112 section 3.2.1): origin form, its own Host first. */
static bool rewrite(struct enclave *e, struct exchange *x, struct error *err)
{
	struct exchange_info *info = exchange_info(x);
	struct head *h = info->request;
	char authority[TARGET_AUTHORITY_MAX];
	if (e->settings->trace && trace_asked(h))
		info->trace = mem_zero(sizeof *info->trace);
	if (witness_asked(h) && e->receipts)
		info->witness = witness_new(e->loop, e->receipts, h, &info->target);
	hop_clean(h, &e->via);
	if (info->target.kind == TARGET_TUNNEL)
		return true;
	target_authority(&info->target, authority);
	struct buf *text = exchange_text(x);
	buf_add_text(text, authority);
	head_remove(h, "Host");
	if (buf_full(text) || !head_add(h, SPAN("Host"), buf_span(text)))
		return error_set(err, ERR_HEAD_SIZE, "the request has too many fields");
	struct field host = h->fields[h->count - 1];
	memmove(h->fields + 1, h->fields, (h->count - 1) * sizeof h->fields[0]);
	h->fields[0] = host;
	h->target = info->target.path;
	return true;
}

void enclave_route(void *owner, struct exchange *x)
{
	struct enclave *e = owner;
	struct exchange_info *info = exchange_info(x);
	struct error err;
	bool answer = false;
	if (info->target.kind == TARGET_SELF) {
		if (local_path(x) == LOCAL_ATTESTATION)
			attest_reply(e->attest, x, NULL);
		else
			enclave_status_reply(e->status, x);
		return;
	}
	if (!judge(e, x, &err) || !hop_max_forwards(info->request, &answer, &err)) {
		exchange_refuse(x, &err);
	} else if (answer) {
		enclave_status_reply(e->status, x);
	} else if (!rewrite(e, x, &err)) {
		exchange_refuse(x, &err);
	} else {
		exchange_forward(x);
	}
}

/* ---- the role of exchanges ---- */

static void *on_open(void *owner, struct exchange *x, bool fresh, exchange_open_fn *fn, void *arg)
{
	struct enclave *e = owner;
	struct exchange_info *info = exchange_info(x);
	struct tls_info *peer = info->witness ? witness_peer(info->witness) : NULL;
	return upstream_open(e->upstream, &info->target, info->id, fresh, info->trace, peer, fn, arg);
}

static void on_cancel(void *owner, void *opening)
{
	struct enclave *e = owner;
	upstream_cancel(e->upstream, opening);
}

static bool on_response(void *owner, struct exchange *x, struct head *h, struct error *err)
{
	struct enclave *e = owner;
	struct exchange_info *info = exchange_info(x);
	if (h->status == 101 && !info->request->upgrade)
		return error_set(err, ERR_UPGRADE, "the service switched protocols without being asked to");
	hop_clean(h, &e->via);
	if (info->trace && h->status >= 200)
		trace_tell_enclave(info->trace, h, monotonic_us() - info->started_us,
				   monotonic_us() - info->opened_us);
	if (!e->settings->tls.verify_certificates)
		head_add(h, SPAN("X-Nitroproxy-Insecure"), SPAN("certificates are not verified"));
	return true;
}

static void on_done(void *owner, struct exchange *x)
{
	struct enclave *e = owner;
	account_exchange(exchange_info(x), &e->figures->metrics);
	front_done(x);
	enclave_status_done(e->status, x);
	attest_done(e->attest, x);
	enclave_check_drained(e);
}

void enclave_role_init(struct enclave *e)
{
	const struct settings *s = e->settings;
	e->role = (struct exchange_role){.agent = AGENT,
					 .self = HOP_ENCLAVE,
					 .next = HOP_SERVICE,
					 .ms = exchange_ms(s),
					 .open = on_open,
					 .cancel = on_cancel,
					 .on_response = on_response,
					 .on_done = on_done,
					 .owner = e};
	list_init(&e->role.running);
	e->role.pipes = splice_pool_new(PIPES);
}

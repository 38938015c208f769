/* What must not work: these checks pass only when the proxy says no, and for the right reason. */
#include "demo/checks_impl.h"
#include "demo/remedy.h"

static void next_target(struct checks *c, const struct text_list *list, checks_answer_fn *fn)
{
	struct fetch_request r = {.form = FETCH_PATH,
				  .method = "GET",
				  .url = checks_url(c, "%s", list->items[c->step]),
				  .timeout_ms = c->o.timeout_ms};
	checks_fetch(c, &r, fn);
}

/* ---- certificates ---- */

static uint64_t heard(const struct checks *c)
{
	uint64_t n = 0;
	for (const struct origin *const *o = c->o.unheard; o && *o; o++)
		n += origin_requests(*o);
	return n;
}

static void on_certificate(struct checks *c, const struct fetch_result *r)
{
	const struct fetch_facts *f = &r->facts;
	if (!r->failed && r->status < 400) {
		checks_fail(c, HOP_ENCLAVE,
			    "Set tls.verify_certificates to true in the enclave: without it anybody can "
			    "answer in a "
			    "service's place.",
			    "the service was believed, though its certificate is wrong");
		return;
	}
	if (strcmp(f->problem.kind, error_kind_name(ERR_TLS_CERTIFICATE)) != 0) {
		checks_good(c, r, 200);
		return;
	}
	if (heard(c)) {
		checks_fail(c, HOP_ENCLAVE, "This is a fault of nitroproxy: please report it.",
			    "the certificate was refused, but the request reached the service");
		return;
	}
	if (++c->step < c->o.refused->count)
		next_target(c, c->o.refused, on_certificate);
	else
		checks_pass(c, "%zu of %zu refused%s; the last one: %s", c->step, c->step,
			    c->o.unheard ? ", and no byte of a request reached them" : "", f->problem.detail);
}

void check_certificate(struct checks *c)
{
	if (c->o.refused->count)
		next_target(c, c->o.refused, on_certificate);
	else
		checks_skip(c, "No service with a wrong certificate was given: --refused-endpoint URL");
}

/* ---- rules ---- */

static bool is_denial(const char *kind)
{
	enum error_kind k = error_kind_of(kind);
	return k == ERR_DENIED || k == ERR_ADDRESS_DENIED;
}

static void on_denied(struct checks *c, const struct fetch_result *r)
{
	const struct fetch_facts *f = &r->facts;
	if (!is_denial(f->problem.kind)) {
		checks_fail(c, hop_of(f->problem.hop) ? hop_of(f->problem.hop) : HOP_ENCLAVE,
			    "Narrow policy.allow in the enclave, or tunnel.allow, to the services that are "
			    "needed.",
			    "the target was not refused by a rule: %s",
			    r->failed		   ? r->err.text
			    : f->problem.detail[0] ? f->problem.detail
						   : "it answered");
		return;
	}
	if (++c->step < c->o.denied->count)
		next_target(c, c->o.denied, on_denied);
	else
		checks_pass(c, "refused with %d by the %s: %s", r->status, f->problem.hop, f->problem.detail);
}

void check_denied(struct checks *c)
{
	if (c->o.denied->count)
		next_target(c, c->o.denied, on_denied);
	else
		checks_skip(c, "No target that the rules refuse was given: --denied-endpoint URL");
}

#include "demo/checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "demo/checks_impl.h"
#include "demo/hex.h"
#include "demo/remedy.h"
#include "proxy/exchange.h"

static const struct {
	const char *id, *title, *question;
	check_fn *run;
} table[] = {
	{"get", "GET", "Does a plain request come back with the service's answer?", check_get},
	{"post", "POST of JSON", "Does a body arrive as it was sent?", check_post},
	{"headers", "Custom header fields", "Do fields of our own reach the service unchanged?",
	 check_headers},
	{"lookup", "API lookup", "Can a field be read out of an API's JSON answer?", check_lookup},
	{"concurrent", "Requests at the same time",
	 "Do slow requests overlap, or does one wait for the other?", check_concurrent},
	{"row", "Requests in a row", "What does a request cost once all connections are up?", check_row},
	{"forms", "Three ways to name a target",
	 "Do path, X-Target-URL and absolute form give the same bytes?", check_forms},
	{"connect", "CONNECT", "Can a client keep its own TLS from end to end?", check_connect},
	{"download", "Large download", "Does a large body come through whole?", check_download},
	{"upload", "Large upload", "Does a large body go through whole?", check_upload},
	{"chunked", "Body of unknown length", "Does a chunked body arrive whole?", check_chunked},
	{"certificate", "Wrong certificates", "Are services refused that cannot prove their name?",
	 check_certificate},
	{"denied", "Targets outside the policy", "Is a target refused that the rules do not allow?",
	 check_denied},
};
_Static_assert(countof(table) <= REPORT_CHECKS, "the report has room for all checks");

/* ---- which endpoint is for what ---- */

static bool is_echo_path(const char *path)
{
	static const char *const paths[] = {"/", "/get", "/post", "/headers"};
	for (size_t i = 0; i < countof(paths); i++)
		if (strcmp(path, paths[i]) == 0)
			return true;
	return false;
}

static void sort_endpoints(struct checks *c)
{
	struct url u;
	for (size_t i = 0; i < c->o.endpoints->count; i++) {
		const char *text = c->o.endpoints->items[i];
		if (!url_parse(text, &u, NULL))
			continue;
		if (!is_echo_path(u.path)) {
			c->lookup = c->lookup ? c->lookup : text;
		} else if (!c->echo) {
			bool https = strncmp(text, "https:", 6) == 0;
			if (asprintf(&c->echo, "%s://%s", https ? "https" : "http", u.authority) < 0)
				abort();
		}
	}
	snprintf(c->report->service, sizeof c->report->service, "%s",
		 c->echo     ? c->echo
		 : c->lookup ? c->lookup
			     : "");
}

/* ---- the row of checks ---- */

static void begin(struct checks *c)
{
	if (c->index == countof(table)) {
		c->o.on_end(c->o.arg);
		return;
	}
	struct report_check *now = &c->report->checks[c->index];
	*now = (struct report_check){.id = table[c->index].id,
				     .title = table[c->index].title,
				     .question = table[c->index].question};
	c->now = now;
	c->step = 0;
	buf_clear(&c->body);
	c->started = monotonic_us();
	c->o.on_begin(c->o.arg, c->index, countof(table), now->title);
	table[c->index].run(c);
}

static void on_next(struct task *t)
{
	begin(container_of(t, struct checks, next));
}

static void end(struct checks *c, enum verdict verdict)
{
	c->now->verdict = verdict;
	c->now->us = monotonic_us() - c->started;
	c->report->count = ++c->index;
	loop_post(c->loop, &c->next, on_next);
}

void checks_pass(struct checks *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->now->detail, sizeof c->now->detail, fmt, ap);
	va_end(ap);
	end(c, VERDICT_PASSED);
}

void checks_skip(struct checks *c, const char *why)
{
	snprintf(c->now->detail, sizeof c->now->detail, "%s", why);
	end(c, VERDICT_SKIPPED);
}

void checks_fail(struct checks *c, enum hop hop, const char *remedy, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->now->detail, sizeof c->now->detail, fmt, ap);
	va_end(ap);
	c->now->hop = hop;
	snprintf(c->now->remedy, sizeof c->now->remedy, "%s", remedy);
	end(c, VERDICT_FAILED);
}

/* ---- requests and answers ---- */

const char *checks_url(struct checks *c, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_clear(&c->url);
	buf_add_text(&c->url, text);
	return buf_text(&c->url);
}

/* Each stage is what its span has beyond those in it; a clock that ticks between two of them gives 0. */
static uint64_t beyond(uint64_t whole, uint64_t inner)
{
	return whole > inner ? whole - inner : 0;
}

static void measure_stages(struct report_check *now, const struct fetch_result *r)
{
	const struct fetch_facts *f = &r->facts;
	uint64_t *s = now->stages;
	uint64_t inner = f->tunnel_us + f->tls_us + f->service_us;
	uint64_t from = r->connected, until = r->tunnelled ? r->tunnelled : r->answered;
	now->timed = true;
	s[STAGE_CONNECT] = r->connected - r->started;
	s[STAGE_ENCLAVE] = beyond(f->enclave_us, inner);
	s[STAGE_TUNNEL] = f->tunnel_us;
	s[STAGE_TLS] = f->tls_us;
	s[STAGE_SERVICE] = f->service_us;
	s[STAGE_PROXY] = beyond(until - from, f->enclave_us > inner ? f->enclave_us : inner);
	s[STAGE_BODY] = r->done - r->answered;
	if (!r->tunnelled)
		return;
	/* CONNECT's answer told of the tunnel; what follows goes from end to end. */
	s[STAGE_TUNNEL] += s[STAGE_SERVICE];
	s[STAGE_TLS] = r->secured - r->tunnelled;
	s[STAGE_SERVICE] = r->answered - r->secured;
}

void checks_measure(struct checks *c, const struct fetch_result *r)
{
	const struct fetch_facts *f = &r->facts;
	if (r->status)
		c->now->status = r->status;
	if (r->failed || !r->answered || f->problem_follows) /* a refusal tells no stages */
		return;
	measure_stages(c->now, r);
	c->report->traced |= f->enclave_us > 0;
	struct report_tls *t = r->tunnelled ? &c->report->own_tls : &c->report->tls;
	if (f->tls.protocol[0] && !t->protocol[0]) {
		snprintf(t->protocol, sizeof t->protocol, "%s", f->tls.protocol);
		snprintf(t->cipher, sizeof t->cipher, "%s", f->tls.cipher);
	}
	t->unverified |= f->unverified && !r->tunnelled;
	if (f->tls.subject[0] && !t->subject[0])
		snprintf(t->subject, sizeof t->subject, "%s", f->tls.subject);
}

static void on_answer(void *arg, const struct fetch_result *r)
{
	struct checks *c = arg;
	checks_answer_fn *fn = c->answer;
	c->fetch = NULL;
	checks_measure(c, r);
	fn(c, r);
}

void checks_note(struct checks *c, const struct fetch_request *r)
{
	snprintf(c->now->request, sizeof c->now->request, "%s%s %s",
		 r->form == FETCH_CONNECT ? "CONNECT, " : "", r->method, r->url);
}

void checks_fetch(struct checks *c, const struct fetch_request *r, checks_answer_fn *fn)
{
	checks_note(c, r);
	c->answer = fn;
	c->fetch = fetch_start(c->o.fetcher, r, on_answer, c);
}

bool checks_good(struct checks *c, const struct fetch_result *r, int status)
{
	const struct fetch_facts *f = &r->facts;
	if (!r->failed && r->status == status)
		return true;
	if (r->failed) {
		/* Our own TLS is the client's; else whoever broke the connection to us is the host. */
		bool own_tls = r->tunnelled && !r->secured;
		enum hop hop = own_tls ? HOP_SERVICE : HOP_HOST;
		const char *remedy =
			own_tls && r->err.kind == ERR_TLS_CERTIFICATE
				? "This TLS is the demo's own: give it the service's root with --ca-file."
				: remedy_for(r->err.kind, own_tls ? HOP_SERVICE : r->err.hop);
		checks_fail(c, hop, remedy, "%s", r->err.text);
	} else if (f->problem.kind[0]) {
		enum hop hop = hop_of(f->problem.hop);
		checks_fail(c, hop, remedy_for(error_kind_of(f->problem.kind), hop), "%d: %s", r->status,
			    f->problem.detail);
	} else {
		checks_fail(c, HOP_SERVICE,
			    "The service itself gave this answer: give one that fits with --endpoint, or run "
			    "with --local.",
			    "the answer was %d in place of %d", r->status, status);
	}
	return false;
}

json_t *checks_object(struct checks *c, const struct fetch_result *r)
{
	if (!checks_good(c, r, 200))
		return NULL;
	json_t *o = json_loadb(r->body.n ? r->body.p : "", r->body.n, 0, NULL);
	if (json_is_object(o))
		return o;
	json_decref(o);
	checks_fail(c, HOP_SERVICE,
		    "Give a service that answers in JSON with --endpoint, or run with --local.",
		    "the answer is no JSON object");
	return NULL;
}

bool checks_have_echo(struct checks *c)
{
	if (!c->echo)
		checks_skip(c, "No endpoint echoes requests: give one without a path, --endpoint "
			       "https://httpbin.org");
	return c->echo != NULL;
}

/* ---- life ---- */

struct checks *checks_start(const struct checks_options *options, struct report *report)
{
	struct checks *c = mem_zero(sizeof *c);
	c->o = *options;
	c->loop = options->fetcher->loop;
	c->report = report;
	buf_init(&c->url, 2048);
	buf_init(&c->body, BLOCK_SIZE);
	sort_endpoints(c);
	loop_post(c->loop, &c->next, on_next);
	return c;
}

void checks_free(struct checks *c)
{
	if (!c)
		return;
	task_cancel(&c->next);
	if (c->fetch)
		fetch_cancel(c->fetch);
	crowd_free(c->crowd);
	buf_free(&c->url);
	buf_free(&c->body);
	free(c->echo);
	free(c);
}

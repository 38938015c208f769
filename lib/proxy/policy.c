#include "proxy/policy.h"

#include <stdlib.h>

#include "base/config.h"
#include "base/mem.h"
#include "proxy/path.h"
#include "proxy/policy_impl.h"

/* ---- gathering ---- */

static bool add_rule(void *arg, bool deny, struct span text, struct error *err)
{
	struct policy *p = arg;

	if (p->count == POLICY_MAX_RULES)
		return error_set(err, ERR_CONFIG, "more than %d rules", POLICY_MAX_RULES);
	p->rules = mem_resize(p->rules, (p->count + 1) * sizeof *p->rules);
	return policy_rule_parse(&p->rules[p->count++], deny, text, err);
}

static bool add_list(struct policy *p, bool deny, const struct text_list *list, struct error *err)
{
	for (size_t i = 0; i < list->count; i++)
		if (!add_rule(p, deny, span_of(list->items[i]), err))
			return error_wrap(err, "policy.%s rule %zu", deny ? "deny" : "allow", i + 1);
	return true;
}

static int by_text(const void *a, const void *b)
{
	const struct policy_rule *ra = a, *rb = b;

	return strcmp(ra->text, rb->text);
}

/* Order and repetition have no meaning, so they leave no trace in the digest. Allow sorts before deny. */
static void put_in_order(struct policy *p)
{
	size_t kept = 0;

	if (p->count == 0)
		return;
	qsort(p->rules, p->count, sizeof *p->rules, by_text);
	for (size_t i = 1; i < p->count; i++) {
		if (strcmp(p->rules[i].text, p->rules[kept].text) == 0)
			policy_rule_free(&p->rules[i]);
		else
			p->rules[++kept] = p->rules[i];
	}
	p->count = kept + 1;
}

static void seal(struct policy *p)
{
	struct buf text;
	struct span whole;

	put_in_order(p);
	if (p->count && !p->rules[0].deny)
		p->otherwise = POLICY_DENY;
	buf_init(&text, (POLICY_MAX_RULES + 1) * POLICY_RULE_TEXT_MAX);
	policy_format(p, &text);
	whole = buf_span(&text);
	hash_sha256(&whole, 1, p->digest);
	buf_free(&text);
}

static bool add_text(struct policy *p, const char *name, struct span text, struct error *err)
{
	struct policy_file f;

	if (!policy_file_parse(&f, name, text, add_rule, p, err))
		return false;
	if (f.has_mode)
		p->mode = f.mode;
	if (f.has_default)
		p->otherwise = f.otherwise;
	return true;
}

static bool add_file(struct policy *p, const char *path, struct error *err)
{
	size_t n;
	char *text = config_slurp(path, &n, err);
	bool ok = text && add_text(p, path, (struct span){text, n}, err);

	free(text);
	return ok;
}

bool policy_load(struct policy *p, const struct policy_source *from, struct error *err)
{
	*p = (struct policy){.mode = from->mode, .otherwise = from->without_rules};
	if (!add_list(p, false, from->allow, err) || !add_list(p, true, from->deny, err))
		return false;
	if (from->file[0] && !add_file(p, from->file, err))
		return false;
	seal(p);
	return true;
}

bool policy_load_text(struct policy *p, const char *name, struct span text, struct error *err)
{
	*p = (struct policy){.mode = POLICY_ENFORCE, .otherwise = POLICY_DENY};
	if (!add_text(p, name, text, err))
		return false;
	seal(p);
	return true;
}

void policy_free(struct policy *p)
{
	for (size_t i = 0; i < p->count; i++)
		policy_rule_free(&p->rules[i]);
	free(p->rules);
	memset(p, 0, sizeof *p);
}

void policy_format(const struct policy *p, struct buf *out)
{
	buf_printf(out, "mode %s\n", p->mode == POLICY_REPORT ? "report" : "enforce");
	buf_printf(out, "default %s\n", p->otherwise == POLICY_ALLOW ? "allow" : "deny");
	for (size_t i = 0; i < p->count; i++) {
		buf_add_text(out, p->rules[i].text);
		buf_add_text(out, "\n");
	}
}

/* ---- judging ---- */

/* Everything but the path. */
static bool concerns(const struct policy_rule *r, const struct policy_request *q)
{
	if (!pattern_match(&r->target, q->host, q->port))
		return false;
	if (r->path && span_is(q->method, SPAN(POLICY_CONNECT)))
		return false;
	return r->methods.count == 0 || policy_rule_names_method(r, q->method);
}

/* The request's path, decoded when the first rule asks for it. */
struct asked_path {
	struct span raw;
	struct buf decoded;
	bool done;
	const char *ambiguous;
};

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNCLEAR };

static enum answer covers(const struct policy_rule *r, struct asked_path *path)
{
	if (!r->path)
		return ANSWER_YES;
	if (!path->done) {
		buf_init(&path->decoded, path->raw.n);
		path->ambiguous = path_decode(path->raw, &path->decoded);
		path->done = true;
	}
	if (path->ambiguous)
		return ANSWER_UNCLEAR;
	return path_covers(span_of(r->path), buf_span(&path->decoded)) ? ANSWER_YES : ANSWER_NO;
}

/*
 * What decides: the first deny rule that matches or may match; else an allow rule that matches;
 * else one that may. NULL: no rule matches.
 */
static const struct policy_rule *find(const struct policy *p, const struct policy_request *q,
				      struct asked_path *path, enum answer *answer)
{
	const struct policy_rule *unclear = NULL;

	for (size_t i = p->count; i-- > 0;) { /* backwards: deny rules stand last */
		const struct policy_rule *r = &p->rules[i];

		*answer = concerns(r, q) ? covers(r, path) : ANSWER_NO;
		if (*answer == ANSWER_YES || (*answer == ANSWER_UNCLEAR && r->deny))
			return r;
		if (*answer == ANSWER_UNCLEAR)
			unclear = r;
	}
	*answer = unclear ? ANSWER_UNCLEAR : ANSWER_NO;
	return unclear;
}

void policy_judge(const struct policy *p, const struct policy_request *r, struct policy_verdict *v)
{
	struct asked_path path = {.raw = r->path};
	enum answer answer = ANSWER_NO;

	memset(v, 0, sizeof *v);
	v->rule = find(p, r, &path, &answer);
	if (!v->rule && p->otherwise == POLICY_DENY)
		error_set(&v->why, ERR_DENIED, "no policy rule allows this request to %.100s port %u",
			  r->host, r->port);
	else if (v->rule && answer == ANSWER_UNCLEAR)
		error_set(&v->why, ERR_DENIED,
			  "the path has %s, which the policy rule \"%.110s\" cannot judge", path.ambiguous,
			  v->rule->text);
	else if (v->rule && v->rule->deny)
		error_set(&v->why, ERR_DENIED, "policy rule \"%.160s\"", v->rule->text);
	if (path.done)
		buf_free(&path.decoded);
	v->denied = v->why.kind != ERR_NONE;
	v->pass = !v->denied || p->mode == POLICY_REPORT;
}

/* ---- what CONNECT gets round ---- */

static bool stands_for_connect(const struct policy_rule *r)
{
	return !r->path && (r->methods.count == 0 || policy_rule_names_method(r, SPAN(POLICY_CONNECT)));
}

static bool connect_is_denied(const struct policy *p, const struct pattern *target)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct policy_rule *r = &p->rules[i];
		bool host = r->target.host == PATTERN_ANY ||
			    (r->target.host == target->host && strcmp(r->target.name, target->name) == 0);

		if (r->deny && host && stands_for_connect(r) &&
		    (r->target.port == 0 || r->target.port == target->port))
			return true;
	}
	return false;
}

const struct policy_rule *policy_connect_gap(const struct policy *p)
{
	bool connect_may_pass = p->otherwise == POLICY_ALLOW;

	for (size_t i = 0; i < p->count && !p->rules[i].deny; i++)
		connect_may_pass = connect_may_pass || stands_for_connect(&p->rules[i]);
	for (size_t i = 0; i < p->count && connect_may_pass; i++) {
		const struct policy_rule *r = &p->rules[i];
		if (r->deny && !stands_for_connect(r) && !connect_is_denied(p, &r->target))
			return r;
	}
	return NULL;
}

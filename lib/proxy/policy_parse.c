#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "proxy/path.h"
#include "proxy/policy_impl.h"

/* ---- one rule ---- */

static bool is_method(struct span s)
{
	if (s.n == 0 || s.n > POLICY_METHOD_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'A' && s.p[i] <= 'Z') && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return true;
}

bool policy_rule_names_method(const struct policy_rule *r, struct span method)
{
	for (size_t i = 0; i < r->methods.count; i++) {
		struct span m = span_of(r->methods.items[i]);
		if (r->deny ? span_is_nocase(m, method) : span_is(m, method))
			return true;
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool parse_methods(struct policy_rule *r, struct span text, struct error *err)
{
	struct span rest = text, method;

	while (span_cut(&rest, ',', &method)) {
		if (!is_method(method))
			return error_set(err, ERR_CONFIG,
					 "methods must be in capitals with commas between them: GET,POST");
		if (policy_rule_names_method(r, method))
			continue;
		if (r->methods.count == POLICY_MAX_METHODS)
			return error_set(err, ERR_CONFIG, "more than %d methods", POLICY_MAX_METHODS);
		text_list_addf(&r->methods, "%.*s", SPAN_ARG(method));
	}
	qsort(r->methods.items, r->methods.count, sizeof *r->methods.items, by_text);
	return true;
}

static bool parse_path(struct policy_rule *r, struct span text, struct error *err)
{
	struct buf path;
	const char *why;

	if (memchr(text.p, '?', text.n))
		return error_set(err, ERR_CONFIG, "a rule's path has no query");
	buf_init(&path, POLICY_MAX_PATH);
	why = path_decode(text, &path);
	if (!why)
		r->path = mem_text(buf_text(&path));
	buf_free(&path);
	return !why || error_set(err, ERR_CONFIG, "a rule's path may not have %s", why);
}

static void name_rule(struct policy_rule *r)
{
	struct buf text;

	buf_init(&text, sizeof "allow " + PATTERN_TEXT_MAX + 3 * POLICY_MAX_PATH +
				POLICY_MAX_METHODS * (POLICY_METHOD_MAX + 1));
	buf_add_text(&text, r->deny ? "deny " : "allow ");
	pattern_format(&r->target, &text);
	if (r->path)
		path_encode(span_of(r->path), &text);
	for (size_t i = 0; i < r->methods.count; i++)
		buf_printf(&text, "%s%s", i ? "," : " ", r->methods.items[i]);
	CHECK(!buf_full(&text));
	r->text = mem_text(buf_text(&text));
	buf_free(&text);
}

bool policy_rule_parse(struct policy_rule *r, bool deny, struct span text, struct error *err)
{
	struct span rest = span_trim(text), word, target;
	const char *slash;

	memset(r, 0, sizeof *r);
	r->deny = deny;
	if (!span_cut(&rest, ' ', &word))
		word = (struct span){NULL, 0};
	slash = word.n ? memchr(word.p, '/', word.n) : NULL;
	target = slash ? (struct span){word.p, (size_t)(slash - word.p)} : word;
	if (!pattern_parse(target, &r->target, err))
		return false;
	if (slash && !parse_path(r, span_from(word, target.n), err))
		return false;
	if (rest.p && !parse_methods(r, span_trim(rest), err))
		return false;
	if (r->path && policy_rule_names_method(r, SPAN(POLICY_CONNECT)))
		return error_set(err, ERR_CONFIG, "CONNECT has no path: give it a rule without one");
	name_rule(r);
	return true;
}

void policy_rule_free(struct policy_rule *r)
{
	free(r->path);
	free(r->text);
	text_list_free(&r->methods);
}

/* ---- a file of them ---- */

static bool set_once(bool *has, const char *what, struct error *err)
{
	if (*has)
		return error_set(err, ERR_CONFIG, "%s is given twice", what);
	*has = true;
	return true;
}

static bool parse_mode(struct policy_file *f, struct span value, struct error *err)
{
	if (span_is(value, SPAN("report")))
		f->mode = POLICY_REPORT;
	else if (span_is(value, SPAN("enforce")))
		f->mode = POLICY_ENFORCE;
	else
		return error_set(err, ERR_CONFIG, "mode must be enforce or report");
	return set_once(&f->has_mode, "mode", err);
}

static bool parse_default(struct policy_file *f, struct span value, struct error *err)
{
	if (span_is(value, SPAN("allow")))
		f->otherwise = POLICY_ALLOW;
	else if (span_is(value, SPAN("deny")))
		f->otherwise = POLICY_DENY;
	else
		return error_set(err, ERR_CONFIG, "default must be allow or deny");
	return set_once(&f->has_default, "default", err);
}

static bool parse_line(struct policy_file *f, struct span line, policy_rule_fn *fn, void *arg,
		       struct error *err)
{
	struct span rest = line, word;

	span_cut(&rest, ' ', &word);
	rest = rest.p ? span_trim(rest) : SPAN("");
	if (span_is(word, SPAN("allow")))
		return fn(arg, false, rest, err);
	if (span_is(word, SPAN("deny")))
		return fn(arg, true, rest, err);
	if (span_is(word, SPAN("mode")))
		return parse_mode(f, rest, err);
	if (span_is(word, SPAN("default")))
		return parse_default(f, rest, err);
	return error_set(err, ERR_CONFIG, "a line must begin with allow, deny, mode, default or #");
}

bool policy_file_parse(struct policy_file *f, const char *name, struct span text, policy_rule_fn *fn,
		       void *arg, struct error *err)
{
	struct span rest = text, line;

	memset(f, 0, sizeof *f);
	for (unsigned number = 1; span_cut(&rest, '\n', &line); number++) {
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!parse_line(f, line, fn, arg, err))
			return error_wrap(err, "%s line %u", name, number);
	}
	return true;
}

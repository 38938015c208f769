/* Where values come from: file, environment, env file, command line. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/config.h"
#include "base/opt_impl.h"
#include "base/quote.h"

/* ---- "did you mean": the known name that is nearest, if it is near ---- */

#define NEAR_MAX 64

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, one row of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), row[NEAR_MAX + 1];
	if (n > NEAR_MAX || m > NEAR_MAX)
		return NEAR_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			row[j] = min2(min2(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}

struct nearest {
	const char *word;
	size_t best;
	struct opt_name name;
};

static void consider(struct nearest *n, const char *name)
{
	size_t d = distance(n->word, name);
	if (d >= n->best)
		return;
	n->best = d;
	strncpy(n->name.text, name, sizeof n->name.text - 1);
}

/* A third of the word may be wrong. */
static struct nearest nearest_to(const char *word)
{
	return (struct nearest){.word = word, .best = min2(strlen(word) / 3 + 2, 6)};
}

static bool unknown(struct error *err, const char *what, const char *word, const struct nearest *n)
{
	struct quoted q = quote_clip(span_of(word));
	error_set(err, ERR_CONFIG, "unknown %s %s", what, q.text);
	if (n->name.text[0])
		error_set(err, ERR_CONFIG, "unknown %s %s; did you mean \"%s\"?", what, q.text, n->name.text);
	return false;
}

/* ---- JSON ---- */

static const char *const kind_names[] = {"true or false", "a number", "a text", "a list", "a section"};

static bool kind_fits(const struct opt *row, enum config_kind kind)
{
	switch (row->type) {
	case OPT_BOOL:
		return kind == CONFIG_BOOL;
	case OPT_UINT:
		return kind == CONFIG_NUMBER;
	case OPT_SIZE:
	case OPT_DURATION:
		return kind == CONFIG_NUMBER || kind == CONFIG_TEXT;
	case OPT_CHOICE:
	case OPT_TEXT:
		return kind == CONFIG_TEXT;
	case OPT_LIST:
		return kind == CONFIG_LIST || kind == CONFIG_TEXT || kind == CONFIG_NUMBER;
	case OPT_ACTION:
		break;
	}
	return false;
}

static const char *kind_wanted(const struct opt *row)
{
	static const char *const names[] = {
		[OPT_BOOL] = "true or false",
		[OPT_UINT] = "a number",
		[OPT_SIZE] = "a number of bytes or a text like \"10MB\"",
		[OPT_DURATION] = "a number of seconds or a text like \"250ms\"",
		[OPT_CHOICE] = "a text",
		[OPT_TEXT] = "a text",
		[OPT_LIST] = "a list of texts",
		[OPT_ACTION] = "",
	};
	return names[row->type];
}

static const struct opt *find_key(const struct opts *o, const char *path)
{
	const struct opt *row = opts_find(o, path);
	return row && row->type != OPT_ACTION ? row : NULL;
}

static bool is_section(const struct opts *o, const char *path)
{
	size_t n = strlen(path);
	OPT_EACH(row, o->table)
	if (strncmp(row->path, path, n) == 0 && row->path[n] == '.')
		return true;
	return false;
}

static bool unknown_key(const struct opts *o, const char *path, struct error *err)
{
	struct nearest n = nearest_to(path);
	OPT_EACH(row, o->table)
	if (row->type != OPT_ACTION)
		consider(&n, row->path);
	return unknown(err, "key", path, &n);
}

static bool on_json_value(void *arg, const struct config_value *value, struct error *err)
{
	struct opts *o = arg;
	if (is_section(o, value->path)) {
		if (value->kind == CONFIG_SECTION)
			return true;
		return error_set(err, ERR_CONFIG, "%s: is %s, must be a section, {..}", value->path,
				 kind_names[value->kind]);
	}
	const struct opt *row = find_key(o, value->path);
	if (!row)
		return unknown_key(o, value->path, err);
	if (!kind_fits(row, value->kind))
		return error_set(err, ERR_CONFIG, "%s: is %s, must be %s", value->path,
				 kind_names[value->kind], kind_wanted(row));
	if (row->type != OPT_LIST)
		return opt_assign(o, row, value->text, OPT_FILE, err) || error_wrap(err, "%s", value->path);

	struct text_list items = {NULL, 0};
	if (value->kind != CONFIG_LIST)
		text_list_add(&items, value->text);
	for (size_t i = 0; i < value->list.count; i++)
		text_list_add(&items, value->list.items[i]);
	bool ok = opt_value_set_list(row, &items, opt_field(o, row), err);
	text_list_free(&items);
	if (!ok)
		return error_wrap(err, "%s", value->path);
	o->source[opt_row(o, row)] = OPT_FILE;
	return true;
}

bool opts_read_json(struct opts *o, const char *name, const char *json, size_t len, struct error *err)
{
	return config_parse_json(name, json, len, on_json_value, o, err);
}

/* An error text has 200 bytes: of a long path its end says more. */
static const char *short_path(const char *path)
{
	size_t n = strlen(path);
	return n > 60 ? path + n - 60 : path;
}

bool opts_read_file(struct opts *o, const char *path, struct error *err)
{
	size_t len;
	char *text = config_slurp(path, &len, err);
	if (!text)
		return false;
	bool ok = opts_read_json(o, short_path(path), text, len, err);
	free(text);
	return ok;
}

/* ---- environment ---- */

static const struct opt *find_env(const struct opts *o, const char *name)
{
	OPT_EACH(row, o->table)
	{
		if (row->type == OPT_ACTION)
			continue;
		if (strcmp(opt_env_of(o->table, row).text, name) == 0 ||
		    (row->env && strcmp(row->env, name) == 0))
			return row;
	}
	return NULL;
}

static bool has_prefix(const struct opts *o, const char *name)
{
	return strncmp(name, o->table->env_prefix, strlen(o->table->env_prefix)) == 0;
}

static bool on_env_line(void *arg, const struct config_value *value, struct error *err)
{
	struct opts *o = arg;
	const struct opt *row = find_env(o, value->path);
	if (row)
		return !value->text[0] || opt_assign(o, row, value->text, OPT_ENV, err) ||
		       error_wrap(err, "%s", value->path);
	if (!has_prefix(o, value->path))
		return true;
	struct nearest n = nearest_to(value->path);
	OPT_EACH(known, o->table)
	if (known->type != OPT_ACTION)
		consider(&n, opt_env_of(o->table, known).text);
	return unknown(err, "name", value->path, &n);
}

bool opts_read_env_file(struct opts *o, const char *path, struct error *err)
{
	size_t len;
	char *text = config_slurp(path, &len, err);
	if (!text)
		return false;
	bool ok = config_parse_env(short_path(path), text, len, on_env_line, o, err);
	free(text);
	return ok;
}

static const char *env_value(char *const *envp, const char *name)
{
	size_t n = strlen(name);
	for (; *envp; envp++)
		if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

/* The rule's name before the row's further one; "" is as if it were not there. */
static bool read_env_row(struct opts *o, const struct opt *row, char *const *envp, struct error *err)
{
	struct opt_name rule = opt_env_of(o->table, row);
	const char *name = rule.text, *value = env_value(envp, name);
	if ((!value || !value[0]) && row->env) {
		name = row->env;
		value = env_value(envp, name);
	}
	if (!value || !value[0])
		return true;
	return opt_assign(o, row, value, OPT_ENV, err) || error_wrap(err, "environment: %s", name);
}

bool opts_read_env(struct opts *o, char *const *envp, struct text_list *unknown_names, struct error *err)
{
	OPT_EACH(row, o->table)
	if (row->type != OPT_ACTION && !read_env_row(o, row, envp, err))
		return false;
	for (char *const *e = envp; *e; e++) {
		struct opt_name name = {""};
		size_t n = strcspn(*e, "=");
		if (!has_prefix(o, *e) || n >= sizeof name.text)
			continue;
		memcpy(name.text, *e, n);
		bool known = find_env(o, name.text) != NULL;
		OPT_EACH(row, o->table)
		known = known || strcmp(opt_env_of(o->table, row).text, name.text) == 0;
		if (!known)
			text_list_add(unknown_names, name.text);
	}
	return true;
}

/* ---- command line ---- */

/* One option as it stands in argv; `at` is moved behind it. */
struct arg {
	const struct opt *row;
	char shown[OPT_NAME_MAX]; /* "--port", for errors */
	const char *value;	  /* NULL: none */
	bool negated;		  /* --no-NAME */
};

static bool row_has_flag(const struct opt *row, const char *name)
{
	return strcmp(opt_flag_of(row).text, name) == 0 || (row->flag && strcmp(row->flag, name) == 0);
}

static const struct opt *find_flag(const struct opt_table *table, const char *name, unsigned commands)
{
	OPT_EACH(row, table)
	if (row->commands & commands && row_has_flag(row, name))
		return row;
	return NULL;
}

static const struct opt *find_letter(const struct opt_table *table, char letter, unsigned command)
{
	OPT_EACH(row, table)
	if (row->commands & command && row->letter && row->letter == letter)
		return row;
	return NULL;
}

static const char *command_name(const struct opt_table *table, unsigned commands)
{
	const struct opt_choice *c = table->commands;
	while (!(c->value & commands))
		c++;
	return c->name;
}

static bool unknown_flag(const struct opt_table *table, const char *name, unsigned command, struct error *err)
{
	const struct opt *row = find_flag(table, name, ~0u);
	if (row)
		return error_set(err, ERR_CONFIG, "--%s is an option of \"%s\", not of \"%s\"", name,
				 command_name(table, row->commands), command_name(table, command));
	struct nearest n = nearest_to(name);
	OPT_EACH(known, table)
	{
		if (!(known->commands & command))
			continue;
		consider(&n, opt_flag_of(known).text);
		if (known->flag)
			consider(&n, known->flag);
	}
	struct opt_name dashed;
	snprintf(dashed.text, sizeof dashed.text, "--%s", n.name.text);
	if (n.name.text[0])
		n.name = dashed;
	char shown[OPT_NAME_MAX];
	snprintf(shown, sizeof shown, "--%s", name);
	return unknown(err, "option", shown, &n);
}

/* "--no-verify" means verify=false where that is a bool. */
static const struct opt *find_negated(const struct opt_table *table, const char *name, unsigned command)
{
	if (strncmp(name, "no-", 3) != 0)
		return NULL;
	const struct opt *row = find_flag(table, name + 3, command);
	return row && row->type == OPT_BOOL ? row : NULL;
}

static bool wants_next(const struct opt *row)
{
	return row->type != OPT_BOOL && (row->type != OPT_ACTION || row->arg);
}

static bool next_arg(const struct opt_table *table, int argc, char *const *argv, unsigned command, int *at,
		     struct arg *a, struct error *err)
{
	const char *word = argv[(*at)++];
	*a = (struct arg){.row = NULL};
	if (word[0] != '-' || !word[1] || strcmp(word, "--") == 0)
		return error_set(err, ERR_CONFIG, "unexpected argument %s", quote_clip(span_of(word)).text);
	if (word[1] != '-') {
		a->row = find_letter(table, word[1], command);
		if (!a->row || word[2])
			return error_set(err, ERR_CONFIG, "unknown option %s",
					 quote_clip(span_of(word)).text);
		snprintf(a->shown, sizeof a->shown, "%s", word);
	} else {
		const char *equals = strchr(word, '=');
		size_t n = equals ? (size_t)(equals - word) : strlen(word);
		if (n >= sizeof a->shown)
			return error_set(err, ERR_CONFIG, "unknown option %s",
					 quote_clip(span_of(word)).text);
		memcpy(a->shown, word, n);
		a->value = equals ? equals + 1 : NULL;
		a->row = find_flag(table, a->shown + 2, command);
		if (!a->row && !equals)
			a->negated = (a->row = find_negated(table, a->shown + 2, command)) != NULL;
		if (!a->row)
			return unknown_flag(table, a->shown + 2, command, err);
	}
	if (!a->value && wants_next(a->row)) {
		if (*at >= argc)
			return error_set(err, ERR_CONFIG, "%s: needs a value, %s %s", a->shown, a->shown,
					 opt_value_arg(a->row));
		a->value = argv[(*at)++];
	}
	return true;
}

/* A list's flag adds to what the command line has given before, and replaces what others have. */
static bool assign_arg(struct opts *o, const struct arg *a, struct error *err)
{
	const struct opt *row = a->row;
	if (row->type == OPT_BOOL)
		return opt_assign(o, row, a->negated ? "false" : a->value ? a->value : "true", OPT_ARGS, err);
	if (row->type != OPT_LIST || o->source[opt_row(o, row)] != OPT_ARGS)
		return opt_assign(o, row, a->value, OPT_ARGS, err);
	const struct text_list *old = opt_field(o, row);
	struct text_list items = {NULL, 0};
	for (size_t i = 0; i < old->count; i++)
		text_list_add(&items, old->items[i]);
	opt_value_split(a->value, &items);
	bool ok = opt_value_set_list(row, &items, opt_field(o, row), err);
	text_list_free(&items);
	return ok;
}

static bool check_action(const struct arg *a, struct error *err)
{
	if (!a->value || a->row->arg)
		return true;
	if (!a->row->choices)
		return error_set(err, ERR_CONFIG, "takes no value");
	for (const struct opt_choice *c = a->row->choices; c->name; c++)
		if (strcmp(c->name, a->value) == 0)
			return true;
	struct buf allowed;
	buf_init(&allowed, 100);
	opt_value_allowed(a->row, &allowed);
	error_set(err, ERR_CONFIG, "%s is not %s", quote_clip(span_of(a->value)).text, buf_text(&allowed));
	buf_free(&allowed);
	return false;
}

bool opts_read_args(struct opts *o, int argc, char *const *argv, unsigned command, struct error *err)
{
	struct arg a;
	for (int at = 1; at < argc;) {
		if (!next_arg(o->table, argc, argv, command, &at, &a, err))
			return false;
		bool ok = a.row->type == OPT_ACTION ? check_action(&a, err) : assign_arg(o, &a, err);
		if (!ok)
			return error_wrap(err, "%s", a.shown);
	}
	return true;
}

const char *opts_action(const struct opt_table *table, int argc, char *const *argv, unsigned command,
			const char *path)
{
	struct arg a;
	for (int at = 1; at < argc;)
		if (next_arg(table, argc, argv, command, &at, &a, NULL) && strcmp(a.row->path, path) == 0)
			return a.value ? a.value : "";
	return NULL;
}

/* Values from the command line: --name VALUE, --name=VALUE, --flag, --no-flag, -l VALUE. */
#include <string.h>

#include "base/opt_impl.h"
#include "base/quote.h"

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
	struct opt_near n = opt_near_to(name);
	OPT_EACH(known, table)
	{
		if (!(known->commands & command))
			continue;
		opt_near_try(&n, opt_flag_of(known).text);
		if (known->flag)
			opt_near_try(&n, known->flag);
	}
	return opt_near_unknown(err, "option", "--", name, &n);
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
	opt_value_split(row, a->value, &items);
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

const char *opts_action(const struct opt_table *table, int argc, char *const *argv, char *const *envp,
			unsigned command, const char *path)
{
	struct arg a;
	for (int at = 1; at < argc;)
		if (next_arg(table, argc, argv, command, &at, &a, NULL) && a.row &&
		    strcmp(a.row->path, path) == 0)
			return a.value ? a.value : "";
	OPT_EACH(row, table)
	if (row->type == OPT_ACTION && row->arg && strcmp(row->path, path) == 0) {
		const char *value = opt_env_value(envp, opt_env_of(table, row).text);
		return value && value[0] ? value : NULL;
	}
	return NULL;
}

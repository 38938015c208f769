/* Values from files and from the environment. */
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/opt_impl.h"
#include "base/quote.h"

/* ---- JSON ---- */

static const char *const kind_names[] = {"null",   "true or false", "a number",
					 "a text", "a list",	    "a section"};

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
		return kind == CONFIG_TEXT;
	case OPT_TEXT:
		return kind == CONFIG_TEXT || (kind == CONFIG_NUMBER && row->flags & OPT_NUMERIC);
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
		[OPT_LIST] = "a list of texts",
		[OPT_ACTION] = "",
	};
	if (row->type == OPT_TEXT)
		return row->flags & OPT_NUMERIC ? "a text or a number" : "a text";
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
	struct opt_near n = opt_near_to(path);
	OPT_EACH(row, o->table)
	if (row->type != OPT_ACTION)
		opt_near_try(&n, row->path);
	return opt_near_unknown(err, "key", "", path, &n);
}

static bool on_json_value(void *arg, const struct config_value *value, struct error *err)
{
	struct opts *o = arg;
	if (is_section(o, value->path)) {
		if (value->kind == CONFIG_SECTION || value->kind == CONFIG_NULL)
			return true;
		return error_set(err, ERR_CONFIG, "%s: is %s, must be a section, {..}", value->path,
				 kind_names[value->kind]);
	}
	const struct opt *row = find_key(o, value->path);
	if (!row)
		return unknown_key(o, value->path, err);
	if (value->kind == CONFIG_NULL) /* as if it were not there */
		return true;
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
	struct opt_near n = opt_near_to(value->path);
	OPT_EACH(known, o->table)
	if (known->type != OPT_ACTION)
		opt_near_try(&n, opt_env_of(o->table, known).text);
	return opt_near_unknown(err, "name", "", value->path, &n);
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

const char *opt_env_value(char *const *envp, const char *name)
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
	const char *name = rule.text, *value = opt_env_value(envp, name);
	if ((!value || !value[0]) && row->env) {
		name = row->env;
		value = opt_env_value(envp, name);
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

#include "base/opt.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/opt_impl.h"

void opts_init(struct opts *o, const struct opt_table *table, void *target)
{
	*o = (struct opts){.table = table, .target = target};
	o->source = mem_zero(table->count * sizeof *o->source);
	OPT_EACH(row, table)
	{
		struct error err;
		if (row->type == OPT_TEXT)
			*(const char **)opt_field(o, row) = NULL;
		if (row->type == OPT_LIST)
			*(struct text_list *)opt_field(o, row) = (struct text_list){NULL, 0};
		CHECK(row->type == OPT_ACTION || opt_assign(o, row, row->def, OPT_DEFAULT, &err));
	}
}

void opts_free(struct opts *o)
{
	if (!o->table)
		return;
	OPT_EACH(row, o->table)
	opt_value_free(row, opt_field(o, row));
	free(o->source);
	*o = (struct opts){.table = NULL};
}

bool opt_assign(struct opts *o, const struct opt *row, const char *text, enum opt_source source,
		struct error *err)
{
	void *field = opt_field(o, row);
	bool ok;
	if (row->type == OPT_LIST) {
		struct text_list items = {NULL, 0};
		opt_value_split(row, text, &items);
		ok = opt_value_set_list(row, &items, field, err);
		text_list_free(&items);
	} else {
		ok = opt_value_parse(row, text, field, err);
	}
	if (ok)
		o->source[opt_row(o, row)] = source;
	return ok;
}

const struct opt *opts_find(const struct opts *o, const char *path)
{
	OPT_EACH(row, o->table)
	if (strcmp(row->path, path) == 0)
		return row;
	return NULL;
}

enum opt_source opts_source(const struct opts *o, const char *path)
{
	const struct opt *row = opts_find(o, path);
	CHECK(row);
	return o->source[opt_row(o, row)];
}

bool opts_set(struct opts *o, const char *path, const char *text, enum opt_source source, struct error *err)
{
	const struct opt *row = opts_find(o, path);
	CHECK(row && row->type != OPT_ACTION);
	return opt_assign(o, row, text, source, err);
}

const char *opt_source_name(enum opt_source source)
{
	static const char *const names[] = {"default", "derived", "file", "environment", "command line"};
	return names[source];
}

struct opt_name opt_flag_of(const struct opt *row)
{
	struct opt_name name;
	size_t n = strlen(row->path);
	CHECK(n < sizeof name.text);
	for (size_t i = 0; i <= n; i++)
		name.text[i] = (char)(row->path[i] == '.' || row->path[i] == '_' ? '-' : row->path[i]);
	return name;
}

struct opt_name opt_env_of(const struct opt_table *table, const struct opt *row)
{
	struct opt_name name;
	size_t skip = strlen(table->env_prefix), n = strlen(row->path);
	CHECK(skip + n < sizeof name.text);
	memcpy(name.text, table->env_prefix, skip);
	for (size_t i = 0; i <= n; i++)
		name.text[skip + i] = (char)(row->path[i] == '.' || row->path[i] == '-'
						     ? '_'
						     : toupper((unsigned char)row->path[i]));
	return name;
}

/* What the parts of opt share: opt.c (rows), opt_value.c, opt_source.c, opt_args.c,
 * opt_near.c, opt_print.c. */
#ifndef BASE_OPT_IMPL_H
#define BASE_OPT_IMPL_H

#include "base/buf.h"
#include "base/opt.h"

#define OPT_NAME_MAX 96

/* ---- opt_value.c: between text and a row's field ---- */

/* The text as the row's type wants it; err->text: what it is and what is allowed. */
bool opt_value_parse(const struct opt *row, const char *text, void *field, struct error *err);
/* Takes the items over when it succeeds. */
bool opt_value_set_list(const struct opt *row, struct text_list *items, struct text_list *field,
			struct error *err);
void opt_value_free(const struct opt *row, void *field);
/* As JSON. */
void opt_value_json(const struct opt *row, const void *field, struct buf *out);
/* "0 to 65535", "error, warn or info", "" when everything is. */
void opt_value_allowed(const struct opt *row, struct buf *out);
/* What help calls the value of this type: "SECONDS". */
const char *opt_value_arg(const struct opt *row);
void opt_value_split(const struct opt *row, const char *text, struct text_list *items);

/* ---- opt.c ---- */

static inline void *opt_field(const struct opts *o, const struct opt *row)
{
	return (char *)o->target + row->offset;
}

static inline size_t opt_row(const struct opts *o, const struct opt *row)
{
	return (size_t)(row - o->table->rows);
}

#define OPT_EACH(row, table)                                                                                 \
	for (const struct opt *row = (table)->rows; row < (table)->rows + (table)->count; row++)

bool opt_assign(struct opts *o, const struct opt *row, const char *text, enum opt_source source,
		struct error *err);

const char *opt_env_value(char *const *envp, const char *name); /* NULL: not there */

/* The names that follow from the path. */
struct opt_name {
	char text[OPT_NAME_MAX];
};
struct opt_name opt_flag_of(const struct opt *row);
struct opt_name opt_env_of(const struct opt_table *table, const struct opt *row);

/* ---- opt_near.c: "did you mean" ---- */

struct opt_near {
	const char *word;
	size_t best; /* edits; only what is nearer counts */
	struct opt_name name;
};
struct opt_near opt_near_to(const char *word);
void opt_near_try(struct opt_near *n, const char *name);
/* "unknown WHAT \"--word\"; did you mean \"--name\"?"; false. */
bool opt_near_unknown(struct error *err, const char *what, const char *dashes, const char *word,
		      const struct opt_near *n);

#endif

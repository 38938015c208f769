/* What docgen.c puts in the place of its directives; everything goes to standard output. */
#ifndef DOCGEN_H
#define DOCGEN_H

#include "base/opt_impl.h"
#include "proxy/settings_table.h"

void docgen_man_options(unsigned command);
void docgen_man_settings(void);
void docgen_bash_options(void);
void docgen_bash_values(void);
void docgen_zsh_options(unsigned command);

/* Does the option ask for a word behind it, and is that word a file's name? */
static inline bool docgen_takes_value(const struct opt *row)
{
	return row->type == OPT_ACTION ? row->arg != NULL : row->type != OPT_BOOL;
}
static inline bool docgen_takes_file(const struct opt *row)
{
	return row->arg && (strcmp(row->arg, "FILE") == 0 || strcmp(row->arg, "PATH") == 0);
}

#endif

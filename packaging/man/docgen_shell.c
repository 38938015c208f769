/* bash-options, bash-values and zsh-options. */
#include <stdio.h>

#include "docgen.h"

/* ---- the two names of an option ---- */

/* The second is NULL when there is only one. */
static void flags_of(const struct opt *row, struct opt_name *full, const char **brief)
{
	*full = opt_flag_of(row);
	*brief = row->flag && strcmp(row->flag, full->text) != 0 ? row->flag : NULL;
}

/* --listen is of several commands, each with a setting of its own. */
static bool is_first_of_its_flag(const struct opt *row)
{
	OPT_EACH(before, &settings_table)
	{
		if (before == row)
			return true;
		if (before->flag && strcmp(before->flag, row->flag) == 0)
			return false;
	}
	return true;
}

static bool is_prefix_only(const struct opt *row)
{
	return row->type == OPT_ACTION && row->choices;
}

/* ---- bash ---- */

static void bash_command(unsigned command)
{
	fputs("\t\toptions='", stdout);
	OPT_EACH(row, &settings_table)
	{
		struct opt_name full;
		const char *brief;
		if (!(row->commands & command))
			continue;
		flags_of(row, &full, &brief);
		printf("--%s ", full.text);
		if (brief)
			printf("--%s ", brief);
		if (row->type == OPT_BOOL)
			printf("--no-%s ", full.text);
		if (is_prefix_only(row))
			for (const struct opt_choice *c = row->choices; c->name; c++)
				printf("--%s=%s ", full.text, c->name);
	}
	fputs("'\n", stdout);
}

void docgen_bash_options(void)
{
	for (const struct opt_choice *c = settings_table.commands; c->name; c++) {
		printf("\t%s)\n", c->name);
		bash_command(c->value);
		fputs("\t\t;;\n", stdout);
	}
}

/* Names that mean something else with another command share their kind of value, so the command does not
 * matter. */
void docgen_bash_values(void)
{
	OPT_EACH(row, &settings_table)
	{
		struct opt_name full;
		const char *brief;
		if (!docgen_takes_value(row))
			continue;
		flags_of(row, &full, &brief);
		printf("\t--%s", full.text);
		if (brief && is_first_of_its_flag(row))
			printf(" | --%s", brief);
		if (row->letter)
			printf(" | -%c", row->letter);
		fputs(")\n", stdout);
		if (row->choices) {
			fputs("\t\tvalues='", stdout);
			for (const struct opt_choice *c = row->choices; c->name; c++)
				printf("%s ", c->name);
			fputs("'\n", stdout);
		} else if (docgen_takes_file(row)) {
			fputs("\t\tfiles=yes\n", stdout);
		} else {
			fputs("\t\tfree=yes\n", stdout);
		}
		fputs("\t\t;;\n", stdout);
	}
}

/* ---- zsh ---- */

/* Within '..' and within [..] of _arguments. */
static void zsh_text(const char *text)
{
	for (; *text; text++)
		fputs(*text == '\''				     ? "'\\''"
		      : *text == '[' || *text == ']' || *text == ':' ? (char[]){'\\', *text, 0}
								     : (char[]){*text, 0},
		      stdout);
}

static void zsh_value(const struct opt *row)
{
	if (!docgen_takes_value(row) && !is_prefix_only(row))
		return;
	printf(":%s:", is_prefix_only(row) ? "style" : opt_value_arg(row));
	if (docgen_takes_file(row))
		fputs("_files", stdout);
	if (row->choices) {
		fputs("(", stdout);
		for (const struct opt_choice *c = row->choices; c->name; c++)
			printf("%s%s", c == row->choices ? "" : " ", c->name);
		fputs(")", stdout);
	}
}

static void zsh_flag(const struct opt *row, const char *dashes, const char *name)
{
	printf("\t\t\t'%s%s%s%s[", row->type == OPT_LIST ? "*" : "", dashes, name,
	       is_prefix_only(row)				      ? "=-"
	       : docgen_takes_value(row) && strcmp(dashes, "--") == 0 ? "="
								      : "");
	zsh_text(row->help);
	fputs("]", stdout);
	if (is_prefix_only(row))
		fputs(":", stdout); /* the value may be left out */
	zsh_value(row);
	fputs("' \\\n", stdout);
}

void docgen_zsh_options(unsigned command)
{
	OPT_EACH(row, &settings_table)
	{
		struct opt_name full;
		const char *brief;
		if (!(row->commands & command))
			continue;
		flags_of(row, &full, &brief);
		zsh_flag(row, "--", full.text);
		if (brief)
			zsh_flag(row, "--", brief);
		if (row->letter)
			zsh_flag(row, "-", (char[]){row->letter, 0});
		if (row->type == OPT_BOOL) {
			printf("\t\t\t'--no-%s[not\\: ", full.text);
			zsh_text(row->help);
			fputs("]' \\\n", stdout);
		}
	}
	fputs("\t\t\t&& return\n", stdout);
}

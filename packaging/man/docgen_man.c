/* man-options and man-settings: roff, see man(7). */
#include <stdio.h>

#include "docgen.h"

/* Text of ours has no control lines; what is left are the escape, and dashes that must stay copyable. */
static void roff(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++)
		fputs(*text == '\\' ? "\\e" : *text == '-' ? "\\-" : (char[]){*text, 0}, stdout);
}

static void bold(const char *before, const char *text)
{
	fputs("\\fB", stdout);
	roff(before);
	roff(text);
	fputs("\\fR", stdout);
}

static void italic(const char *text)
{
	fputs("\\fI", stdout);
	roff(text);
	fputs("\\fR", stdout);
}

static void tag(const struct opt *row)
{
	struct opt_name flag = opt_flag_of(row);
	fputs(".TP\n", stdout);
	if (row->letter) {
		bold("-", (char[]){row->letter, 0});
		fputs(", ", stdout);
	}
	if (row->flag && strcmp(row->flag, flag.text) != 0) {
		bold("--", row->flag);
		fputs(", ", stdout);
	}
	bold("--", flag.text);
	if (row->type == OPT_ACTION && row->choices) {
		fputs("[=", stdout);
		italic(row->choices->name);
		fputs("]", stdout);
	} else if (docgen_takes_value(row)) {
		fputs(" ", stdout);
		italic(opt_value_arg(row));
	}
	fputs("\n", stdout);
}

/* "; a number from 0 to 65535" */
static void allowed(const struct opt *row)
{
	struct buf text;
	buf_init(&text, 4096);
	if (row->type != OPT_ACTION)
		opt_value_allowed(row, &text);
	if (text.n) {
		fputs(": ", stdout);
		roff(buf_text(&text));
	}
	buf_free(&text);
}

static void sentence(const struct opt *row)
{
	roff(row->help);
	if (row->type != OPT_BOOL)
		allowed(row);
	fputs(".\n", stdout);
}

static void default_of(const struct opt *row)
{
	const char *def = row->shown ? row->shown : row->def;
	if (row->type == OPT_ACTION)
		return;
	fputs("Default: ", stdout);
	if (def[0])
		bold("", def);
	else
		fputs("unset", stdout);
	fputs(".\n", stdout);
}

void docgen_man_options(unsigned command)
{
	OPT_EACH(row, &settings_table)
	{
		if (!(row->commands & command))
			continue;
		tag(row);
		sentence(row);
		default_of(row);
	}
}

static void read_by(const struct opt *row)
{
	const char *between = "Read by ";
	for (const struct opt_choice *c = settings_table.commands; c->name; c++) {
		if (!(row->commands & c->value))
			continue;
		fputs(between, stdout);
		bold("", c->name);
		between = ", ";
	}
	fputs(row->commands ? ".\n" : "Read by the deployment scripts.\n", stdout);
}

static void names(const struct opt *row)
{
	fputs("Environment: ", stdout);
	bold("", opt_env_of(&settings_table, row).text);
	if (row->env) {
		fputs(" or ", stdout);
		bold("", row->env);
	}
	fputs(".\n", stdout);
}

void docgen_man_settings(void)
{
	struct span section = {NULL, 0};
	OPT_EACH(row, &settings_table)
	{
		struct span path = span_of(row->path), now;
		if (row->type == OPT_ACTION)
			continue;
		if (!strchr(row->path, '.') || !span_cut(&path, '.', &now))
			now = SPAN("top level");
		if (!span_is(now, section)) {
			printf(".SS %.*s\n", SPAN_ARG(now));
			section = now;
		}
		fputs(".TP\n", stdout);
		bold("", row->path);
		fputs("\n", stdout);
		roff(row->help);
		allowed(row);
		fputs(".\n", stdout);
		default_of(row);
		names(row);
		read_by(row);
	}
}

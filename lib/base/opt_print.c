/* What is shown of a table: the configuration in effect, help, the documents. */
#include <string.h>

#include "base/check.h"
#include "base/opt_impl.h"

#define WIDTH  80
#define INDENT 10

/* "host_proxy" of "host_proxy.port"; empty for a key at the top. */
static struct span section_of(const struct opt *row)
{
	const char *dot = strchr(row->path, '.');
	return dot ? (struct span){row->path, (size_t)(dot - row->path)} : (struct span){"", 0};
}

static const char *key_of(const struct opt *row)
{
	const char *dot = strchr(row->path, '.');
	return dot ? dot + 1 : row->path;
}

static const struct opt *next_value(const struct opt_table *table, const struct opt *row)
{
	do
		row++;
	while (row < table->rows + table->count && row->type == OPT_ACTION);
	return row < table->rows + table->count ? row : NULL;
}

/* ---- configuration in effect ---- */

static void print_row(const struct opts *o, const struct opt *row, bool last, FILE *out,
		      enum opts_style style)
{
	struct buf line;
	buf_init(&line, 1 << 20);
	buf_printf(&line, "\t%s\"%s\": ", section_of(row).n ? "\t" : "", key_of(row));
	opt_value_json(row, opt_field(o, row), &line);
	if (!last)
		buf_add_text(&line, ",");
	fputs(buf_text(&line), out);
	if (style == OPTS_COMMENTED)
		fprintf(out, " // %s", opt_source_name(o->source[opt_row(o, row)]));
	fputs("\n", out);
	buf_free(&line);
}

void opts_print(const struct opts *o, FILE *out, enum opts_style style)
{
	struct span section = {"", 0};
	fputs("{\n", out);
	for (const struct opt *row = next_value(o->table, o->table->rows - 1), *next; row; row = next) {
		next = next_value(o->table, row);
		if (!span_is(section_of(row), section)) {
			section = section_of(row);
			fprintf(out, "\t\"%.*s\": {\n", SPAN_ARG(section));
		}
		bool ends = section.n && (!next || !span_is(section_of(next), section));
		print_row(o, row, ends || !next, out, style);
		if (ends)
			fprintf(out, "\t}%s\n", next ? "," : "");
	}
	fputs("}\n", out);
}

/* ---- help ---- */

/* Words of text from column INDENT on, broken before WIDTH. */
static void print_wrapped(const char *text, FILE *out)
{
	size_t column = 0;
	struct span rest = span_of(text), word;
	while (span_cut(&rest, ' ', &word)) {
		if (column && column + 1 + word.n > WIDTH) {
			fputs("\n", out);
			column = 0;
		}
		if (!column)
			column = INDENT + word.n, fprintf(out, "%*s%.*s", INDENT, "", SPAN_ARG(word));
		else
			column += 1 + word.n, fprintf(out, " %.*s", SPAN_ARG(word));
	}
	fputs("\n", out);
}

static void print_default(const struct opt *row, struct buf *out)
{
	const char *def = row->shown ? row->shown : row->def;
	if (row->type != OPT_ACTION && def[0])
		buf_printf(out, " [default: %s]", def);
}

static void help_row(const struct opt_table *table, const struct opt *row, FILE *out)
{
	const char *arg = opt_value_arg(row);
	struct opt_name flag = opt_flag_of(row);
	fputs("  ", out);
	if (row->letter)
		fprintf(out, "-%c, ", row->letter);
	if (row->flag && strcmp(row->flag, flag.text) != 0)
		fprintf(out, "--%s, ", row->flag);
	fprintf(out, "--%s", flag.text);
	if (row->type == OPT_ACTION && row->choices)
		fprintf(out, "[=%s]", row->choices->name);
	else if (row->type == OPT_BOOL)
		fputs("[=BOOL]", out);
	else if (arg)
		fprintf(out, " %s", arg);
	fputs("\n", out);

	struct buf text;
	buf_init(&text, 4096);
	buf_add_text(&text, row->help);
	size_t n = text.n;
	buf_add_text(&text, "; ");
	size_t m = text.n;
	if (row->type != OPT_BOOL && row->type != OPT_ACTION)
		opt_value_allowed(row, &text);
	if (text.n == m)
		text.n = n;
	print_default(row, &text);
	if (row->env)
		buf_printf(&text, " [environment: %s]", row->env);
	else if (row->type == OPT_ACTION && row->arg)
		buf_printf(&text, " [environment: %s]", opt_env_of(table, row).text);
	print_wrapped(buf_text(&text), out);
	buf_free(&text);
}

/* First what people type: what has a short name. Then the rest. */
void opts_help(const struct opt_table *table, unsigned command, FILE *out)
{
	for (int rest = 0; rest < 2; rest++) {
		fputs(rest ? "\nFor every other setting (see also --print-config):\n" : "Options:\n", out);
		OPT_EACH(row, table)
		{
			bool common = row->flag || row->letter || row->type == OPT_ACTION;
			if (row->commands & command && common == !rest)
				help_row(table, row, out);
		}
	}
	fprintf(out,
		"\nLists: repeat the option, or put commas (between rules: semicolons) between the\n"
		"items. Each setting is also read from the environment: %s, then its\n"
		"name in capitals with _ for -.\n",
		table->env_prefix);
}

/* ---- Markdown ---- */

static void cell(FILE *out, const char *text)
{
	for (; *text; text++)
		fputs(*text == '|' ? "\\|" : *text == '<' ? "&lt;" : (char[]){*text, 0}, out);
}

static void markdown_names(const struct opt *row, FILE *out)
{
	const char *between = "";
	if (row->flag) {
		fprintf(out, "`--%s`", row->flag);
		between = ", ";
	}
	if (row->env)
		fprintf(out, "%s`%s`", between, row->env);
}

static void markdown_commands(const struct opt_table *table, const struct opt *row, FILE *out)
{
	const char *between = "";
	if (!row->commands)
		fputs("scripts", out);
	for (const struct opt_choice *c = table->commands; c->name; c++) {
		if (!(row->commands & c->value))
			continue;
		fprintf(out, "%s%s", between, c->name);
		between = ", ";
	}
}

static void markdown_row(const struct opt_table *table, const struct opt *row, FILE *out)
{
	const char *def = row->shown ? row->shown : row->def;
	struct buf allowed;
	buf_init(&allowed, 4096);
	opt_value_allowed(row, &allowed);
	fprintf(out, "| `%s` | ", row->path);
	if (def[0])
		fprintf(out, "`%s`", def);
	fputs(" | ", out);
	cell(out, buf_text(&allowed)[0] ? buf_text(&allowed) : opt_value_arg(row));
	fputs(" | ", out);
	markdown_names(row, out);
	fputs(" | ", out);
	markdown_commands(table, row, out);
	fputs(" | ", out);
	cell(out, row->help);
	fputs(" |\n", out);
	buf_free(&allowed);
}

void opts_markdown(const struct opt_table *table, FILE *out)
{
	struct span section = {NULL, 0};
	for (const struct opt *row = next_value(table, table->rows - 1); row; row = next_value(table, row)) {
		if (!section.p || !span_is(section_of(row), section)) {
			fprintf(out, "%s### %.*s\n\n", section.p ? "\n" : "",
				section_of(row).n ? (int)section_of(row).n : 9,
				section_of(row).n ? section_of(row).p : "Top level");
			fputs("| Key | Default | Allowed | Short names | Read by | Meaning |\n"
			      "|---|---|---|---|---|---|\n",
			      out);
			section = section_of(row);
		}
		markdown_row(table, row, out);
	}
}

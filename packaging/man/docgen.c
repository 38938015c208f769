/*
 * docgen TEMPLATE [VERSION]: the template on standard output, with what the table of settings knows in place
 * of its directives. Run while building; nothing that it writes is kept in the repository.
 *
 *	@VERSION@                 anywhere: the version
 *	@man-options COMMAND@     alone on a line: that command's options, as roff
 *	@man-settings@            every setting, as roff
 *	@bash-options@            alternatives of a shell `case` over the command: $options and $valued
 *	@bash-values@             alternatives of a `case` over the option before the cursor: $values or
 *$files
 *	@zsh-options COMMAND@     arguments of _arguments
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "docgen.h"

static unsigned command_bit(struct span name)
{
	for (const struct opt_choice *c = settings_table.commands; c->name; c++)
		if (span_is(name, span_of(c->name)))
			return c->value;
	fprintf(stderr, "docgen: there is no command '%.*s'\n", SPAN_ARG(name));
	exit(1);
}

static bool directive(struct span line, const char *name, struct span *arg)
{
	struct span words = line, word;
	if (line.n < 2 || line.p[0] != '@' || line.p[line.n - 1] != '@')
		return false;
	words = (struct span){line.p + 1, line.n - 2};
	span_cut(&words, ' ', &word);
	*arg = words;
	return span_is(word, span_of(name));
}

static void copy(struct span line, const char *version)
{
	const char *mark;
	while ((mark = memmem(line.p, line.n, "@VERSION@", 9))) {
		printf("%.*s%s", (int)(mark - line.p), line.p, version);
		line = span_from(line, (size_t)(mark - line.p) + 9);
	}
	printf("%.*s\n", SPAN_ARG(line));
}

int main(int argc, char **argv)
{
	char *text = NULL;
	size_t room = 0;
	FILE *in = argc > 1 ? fopen(argv[1], "r") : NULL;
	if (!in) {
		fputs("usage: docgen TEMPLATE [VERSION]\n", stderr);
		return 2;
	}
	for (ssize_t n; (n = getline(&text, &room, in)) > 0;) {
		struct span line = {text, (size_t)n - (text[n - 1] == '\n')}, arg;
		if (directive(line, "man-options", &arg))
			docgen_man_options(command_bit(arg));
		else if (directive(line, "man-settings", &arg))
			docgen_man_settings();
		else if (directive(line, "bash-options", &arg))
			docgen_bash_options();
		else if (directive(line, "bash-values", &arg))
			docgen_bash_values();
		else if (directive(line, "zsh-options", &arg))
			docgen_zsh_options(command_bit(arg));
		else
			copy(line, argc > 2 ? argv[2] : "");
	}
	free(text);
	fclose(in);
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

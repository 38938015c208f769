#include "proxy/settings.h"

#include <string.h>
#include <unistd.h>

#include "proxy/settings_impl.h"
#include "proxy/settings_table.h"

static const char *command_name(enum command command)
{
	const struct opt_choice *c = settings_table.commands;
	while (c->value != command)
		c++;
	return c->name;
}

static const char *command_summary(enum command command)
{
	switch (command) {
	case CMD_HOST:
		return "The HTTP proxy on the instance: takes requests and hands them to the enclave.";
	case CMD_ENCLAVE:
		return "The proxy's part inside the enclave: policy, and TLS that the host cannot read.";
	case CMD_TUNNEL:
		return "Carries the enclave's TLS bytes from the instance to the services.";
	case CMD_DEMO:
		return "Checks a running proxy with real requests.";
	}
	return "";
}

/* --help and --version win over whatever else is said, wrong as it may be. */
static bool printed(int argc, char *const *argv, char *const *envp, FILE *out, enum command command)
{
	if (opts_action(&settings_table, argc, argv, envp, command, "help")) {
		fprintf(out, "Usage: nitroproxy %s [OPTION]...\n\n%s\n\n", command_name(command),
			command_summary(command));
		opts_help(&settings_table, command, out);
		return true;
	}
	if (opts_action(&settings_table, argc, argv, envp, command, "version")) {
		fprintf(out, "nitroproxy %s\n", NP_VERSION);
		return true;
	}
	return false;
}

static bool read_sources(int argc, char *const *argv, char *const *envp, struct settings *s,
			 struct error *err)
{
	const char *file = opts_action(&settings_table, argc, argv, envp, s->command, "config");
	const char *env_file = opts_action(&settings_table, argc, argv, envp, s->command, "env-file");
	struct text_list unknown = {NULL, 0};
	bool ok = (!file || opts_read_file(&s->opts, file, err)) &&
		  (!env_file || opts_read_env_file(&s->opts, env_file, err)) &&
		  opts_read_env(&s->opts, envp, &unknown, err) &&
		  opts_read_args(&s->opts, argc, argv, s->command, err);
	for (size_t i = 0; i < unknown.count; i++)
		text_list_addf(&s->warnings, "%s in the environment is no setting's name", unknown.items[i]);
	text_list_free(&unknown);
	return ok;
}

static void print_findings(const struct settings *s, FILE *out)
{
	for (size_t i = 0; i < s->insecure.count; i++)
		fprintf(out, "insecure: %s\n", s->insecure.items[i]);
	for (size_t i = 0; i < s->warnings.count; i++)
		fprintf(out, "warning: %s\n", s->warnings.items[i]);
	fprintf(out, "the configuration is valid for \"%s\"\n", command_name(s->command));
}

enum settings_outcome settings_load_from(int argc, char *const *argv, char *const *envp, FILE *out,
					 enum command command, struct settings *s, struct error *err)
{
	*s = (struct settings){.command = command};
	opts_init(&s->opts, &settings_table, s);
	if (printed(argc, argv, envp, out, command))
		return SETTINGS_PRINTED;
	if (!read_sources(argc, argv, envp, s, err))
		return SETTINGS_ERROR;
	settings_derive(s);
	if (!settings_check(s, err))
		return SETTINGS_ERROR;

	const char *style = opts_action(&settings_table, argc, argv, envp, command, "print-config");
	if (style)
		opts_print(&s->opts, out, strcmp(style, "json") == 0 ? OPTS_JSON : OPTS_COMMENTED);
	else if (opts_action(&settings_table, argc, argv, envp, command, "check-config"))
		print_findings(s, out);
	else
		return SETTINGS_RUN;
	return SETTINGS_PRINTED;
}

enum settings_outcome settings_load(int argc, char *const *argv, enum command command, struct settings *s,
				    struct error *err)
{
	return settings_load_from(argc, argv, environ, stdout, command, s, err);
}

void settings_free(struct settings *s)
{
	opts_free(&s->opts);
	text_list_free(&s->warnings);
	text_list_free(&s->insecure);
}

void settings_markdown(FILE *out)
{
	opts_markdown(&settings_table, out);
}

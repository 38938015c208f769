/*
 * Configuration from anywhere. The first byte says where from: 'e' NAME=VALUE lines,
 * 'a' a command line (a word a line), anything else a JSON file. What is accepted must
 * come through printing and reading again unchanged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/config.h"
#include "base/mem.h"
#include "proxy/settings.h"
#include "proxy/settings_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct opts *o, enum opts_style style)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	opts_print(o, out, style);
	fclose(out);
	return text;
}

/*
 * A text may have held what print must not let through (control bytes, no UTF-8): once printed it is stable.
 */
static void check_round_trip(const struct opts *o)
{
	struct settings again;
	struct opts copy;
	struct error err;
	char *text = print(o, OPTS_COMMENTED), *json;
	opts_init(&copy, &settings_table, &again);
	if (opts_read_json(&copy, "printed", text, strlen(text), &err)) {
		free(text);
		text = print(o, OPTS_JSON);
		json = print(&copy, OPTS_JSON);
		CHECK(strcmp(text, json) == 0);
		free(json);
	} else {
		/* Only what print made harmless may have become invalid by that. */
		CHECK(strstr(text, "\xef\xbf\xbd") || strstr(text, "\\u00"));
	}
	free(text);
	opts_free(&copy);
}

static bool check_env_value(void *arg, const struct config_value *value, struct error *err)
{
	(void)err;
	size_t *left = arg;
	CHECK(value->kind == CONFIG_TEXT && value->path[0] && strlen(value->path) <= *left);
	return true;
}

static bool read_args(struct opts *o, char *text, struct error *err)
{
	enum { MOST = 64 };
	char *argv[MOST] = {(char[]){"host"}};
	int argc = 1;
	for (char *save, *w = strtok_r(text, "\n", &save); w && argc < MOST; w = strtok_r(NULL, "\n", &save))
		argv[argc++] = w;
	opts_action(&settings_table, argc, argv, (char *[]){NULL}, CMD_HOST, "help");
	unsigned command = text[0] & 1 ? CMD_HOST : CMD_ENCLAVE;
	return opts_read_args(o, argc, argv, command, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct settings s;
	struct opts o;
	struct error err;
	char *text = mem_text_n((const char *)data + 1, size - 1);
	opts_init(&o, &settings_table, &s);
	bool ok = false;
	if (data[0] == 'e')
		config_parse_env("fuzz", text, size - 1, check_env_value, &size, &err);
	else if (data[0] == 'a')
		ok = read_args(&o, text, &err);
	else
		ok = opts_read_json(&o, "fuzz", text, size - 1, &err);
	if (ok)
		check_round_trip(&o);
	free(text);
	opts_free(&o);
	return 0;
}

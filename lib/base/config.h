/*
 * Configuration files as text: JSON (RFC 8259) with comments from // to the end of the
 * line, and NAME=VALUE files. What the names mean is base/opt's business.
 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text_list.h"

#define CONFIG_MAX_BYTES (1 << 20)

enum config_kind { CONFIG_NULL, CONFIG_BOOL, CONFIG_NUMBER, CONFIG_TEXT, CONFIG_LIST, CONFIG_SECTION };

/* What stands at a path. All of it is valid during the call. */
struct config_value {
	const char *path; /* "host_proxy.port" */
	enum config_kind kind;
	const char *text;      /* of bool, number and text */
	struct text_list list; /* of CONFIG_LIST: its texts and numbers */
};

/* False stops the reading; err's text gets the file's name put in front. */
typedef bool config_visit_fn(void *arg, const struct config_value *value, struct error *err);

/*
 * Calls fn for each section and value, in the file's order. Duplicate keys, trailing text and lists of anything but
 * texts and numbers are errors. `name` stands in error texts, with line and column where the JSON itself is wrong.
 */
bool config_parse_json(const char *name, const char *json, size_t len, config_visit_fn *fn, void *arg,
		       struct error *err);

/*
 * NAME=VALUE, one a line; '#' begins a comment line; "export " in front and matching quotes
 * around the value are dropped; nothing is expanded. fn gets CONFIG_TEXT values with the name as path.
 */
bool config_parse_env(const char *name, const char *text, size_t len, config_visit_fn *fn, void *arg,
		      struct error *err);

/* The whole file, owned by the caller, a 0 behind it; NULL on error or beyond CONFIG_MAX_BYTES. */
char *config_slurp(const char *path, size_t *len, struct error *err);

#endif

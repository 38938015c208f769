/*
 * Options: one table describes every setting once, and from it follow the parsing of
 * file, environment and command line, --help, --print-config and the documents.
 *
 *	path  host_proxy.retry_delay                    in the file: {"host_proxy": {"retry_delay": "250ms"}}
 *	env   NITROPROXY_HOST_PROXY_RETRY_DELAY         upper case, dots become _; one more name per row
 *	flag  --host-proxy-retry-delay 250ms            dots and _ become -; one more name per row
 *
 * A later source replaces what an earlier one gave: default < file < environment <
 * command line. Values are written into a struct of the program's through the row's
 * offset; the OPT_* macros check at compile time that the field has the row's type.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text_list.h"

enum opt_type {
	OPT_BOOL,     /* bool */
	OPT_UINT,     /* uint32_t */
	OPT_SIZE,     /* uint64_t, bytes: "10MB" (units of 1024), 4096 */
	OPT_DURATION, /* uint64_t, milliseconds: "250ms", "30s", "5m", "1h"; a plain number is seconds */
	OPT_CHOICE,   /* an enum */
	OPT_TEXT,     /* const char *, never NULL */
	OPT_LIST,     /* struct text_list */
	OPT_ACTION /* on the command line only. With arg: takes a value; with choices: may take one; else none
		    */
};

enum opt_source { OPT_DEFAULT, OPT_DERIVED, OPT_FILE, OPT_ENV, OPT_ARGS };

/* One name of a choice. Several may share a value: the first is the one that is printed. */
struct opt_choice {
	const char *name; /* matched without regard to case; NULL ends the array */
	unsigned value;
};

/* Says whether a text (each item of a list) will do; err->text says what would. */
typedef bool opt_check_fn(const char *text, struct error *err);

enum {
	OPT_SECRET = 1,	    /* never shown */
	OPT_SEMICOLONS = 2, /* a list whose items hold commas: semicolons stand between them */
	OPT_NUMERIC = 4	    /* a text that a file may give as a number, too */
};

struct opt {
	const char *path;
	enum opt_type type;
	size_t offset;
	const char *def;   /* default as text; a list's items stand between commas */
	const char *shown; /* how documents show the default, when def does not tell; or NULL */
	uint64_t min, max; /* of numbers, sizes, durations (ms) */
	const struct opt_choice *choices; /* of OPT_CHOICE and, if given, of a list's items */
	opt_check_fn *check;		  /* or NULL */
	unsigned commands;		  /* whose command line knows it: bits of the program's */
	const char *flag;		  /* a shorter flag, without the dashes; or NULL */
	char letter;			  /* -c; or 0 */
	const char *env;		  /* a further name in the environment; or NULL */
	const char *arg;		  /* what help calls the value: "ADDR"; NULL: by type */
	const char *help;		  /* one sentence, no full stop */
	unsigned flags;
};

#define OPT_FIELD(target, field, ctype)                                                                      \
	(offsetof(target, field) + 0 * sizeof(char[_Generic(((target *)0)->field, ctype : 1)]))

struct opt_table {
	const struct opt *rows;
	size_t count;
	const char *env_prefix;		   /* "NITROPROXY_" */
	const struct opt_choice *commands; /* the bits of opt.commands by name */
};

/* A target with its table, and where each of its values came from. */
struct opts {
	const struct opt_table *table; /* borrowed */
	void *target;		       /* borrowed */
	enum opt_source *source;       /* owned, one a row */
};

/* Every default; what the target held before does not matter. */
void opts_init(struct opts *o, const struct opt_table *table, void *target);
void opts_free(struct opts *o); /* the target's texts and lists too */

/* ---- sources: each false with ERR_CONFIG and a text that names place, value and what is allowed ---- */

bool opts_read_json(struct opts *o, const char *name, const char *json, size_t len, struct error *err);
bool opts_read_file(struct opts *o, const char *path, struct error *err);
/* NAME=VALUE lines. Names of the prefix that are unknown are errors here... */
bool opts_read_env_file(struct opts *o, const char *path, struct error *err);
/* ...and are only listed in *unknown here: others (Kubernetes) put such names there unasked. */
bool opts_read_env(struct opts *o, char *const *envp, struct text_list *unknown, struct error *err);
/* argv[0] is skipped, actions too: opts_action finds them. A list's flag may be repeated. */
bool opts_read_args(struct opts *o, int argc, char *const *argv, unsigned command, struct error *err);

/*
 * The value of the OPT_ACTION of that path, in argv or (one that takes a value) in the environment:
 * "" without a value, NULL when it is not there. Looked for before everything else, so it forgives
 * what is wrong with the rest.
 */
const char *opts_action(const struct opt_table *table, int argc, char *const *argv, char *const *envp,
			unsigned command, const char *path);

/* ---- one row ---- */

const struct opt *opts_find(const struct opts *o, const char *path); /* NULL if unknown */
enum opt_source opts_source(const struct opts *o, const char *path); /* path is in the table */
/* Sets from text, checked. False with a text that says what is allowed, without a place. */
bool opts_set(struct opts *o, const char *path, const char *text, enum opt_source source, struct error *err);
const char *opt_source_name(enum opt_source source); /* "environment" */

/* ---- printing ---- */

enum opts_style { OPTS_COMMENTED /* and where each value is from */, OPTS_JSON /* strict */ };

void opts_print(const struct opts *o, FILE *out, enum opts_style style);
void opts_help(const struct opt_table *table, unsigned command, FILE *out); /* 80 columns */
/* A table per section: key, default, allowed values, shorter names, who reads it, meaning. */
void opts_markdown(const struct opt_table *table, FILE *out);

#endif

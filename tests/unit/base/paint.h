/* A small table of options of every type, and what was read into it: of the tests of where options come from. */
#ifndef UNIT_BASE_PAINT_H
#define UNIT_BASE_PAINT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/config.h"
#include "base/opt.h"
#include "base/span.h"

enum colour { RED, GREEN, BLUE };

struct target {
	struct {
		uint32_t port;
		bool on;
		uint64_t size, delay;
		enum colour colour;
		const char *name, *token;
		struct text_list items, words;
	} box;
	uint32_t top;
};

static inline bool check_lower(const char *text, struct error *err)
{
	for (const char *p = text; *p; p++)
		if (*p < 'a' || *p > 'z')
			return error_set(err, ERR_CONFIG, "small letters only");
	return text[0] || error_set(err, ERR_CONFIG, "not empty");
}

static const struct opt_choice colours[] = {
	{"red", RED}, {"scarlet", RED}, {"green", GREEN}, {"blue", BLUE}, {NULL, 0}};
static const struct opt_choice commands[] = {{"paint", 1}, {"wash", 2}, {NULL, 0}};

#define AT(field, type) OPT_FIELD(struct target, box.field, type)
static const struct opt rows[] = {
	{"config", OPT_ACTION, .commands = 3, .letter = 'c', .arg = "FILE", .help = "A file"},
	{"print", OPT_ACTION, .commands = 3, .choices = colours, .help = "Prints"},
	{"help", OPT_ACTION, .commands = 3, .letter = 'h', .help = "Helps"},
	{"top", OPT_UINT, OPT_FIELD(struct target, top, uint32_t), "7", .min = 1, .max = 9, .commands = 3,
	 .help = "A top"},
	{"box.port", OPT_UINT, AT(port, uint32_t), "80", .min = 1, .max = 65535, .commands = 3,
	 .flag = "port", .letter = 'p', .env = "PORT", .help = "A port"},
	{"box.on", OPT_BOOL, AT(on, bool), "false", .commands = 1, .help = "A switch"},
	{"box.size", OPT_SIZE, AT(size, uint64_t), "10MB", .max = UINT64_C(1) << 40, .commands = 1,
	 .help = "A size"},
	{"box.retry_delay", OPT_DURATION, AT(delay, uint64_t), "250ms", .min = 1, .max = 86400000,
	 .commands = 1, .help = "A time"},
	{"box.colour", OPT_CHOICE, AT(colour, enum colour), "green", .choices = colours, .commands = 1,
	 .help = "A colour"},
	{"box.name", OPT_TEXT, AT(name, const char *), "", .check = check_lower, .commands = 2,
	 .flag = "name", .help = "A name"},
	{"box.token", OPT_TEXT, AT(token, const char *), "", .check = check_lower, .commands = 1,
	 .flags = OPT_SECRET, .help = "A token"},
	{"box.items", OPT_LIST, AT(items, struct text_list), "a, b", .check = check_lower, .commands = 1,
	 .flag = "item", .help = "Items"},
	{"box.words", OPT_LIST, AT(words, struct text_list), "", .choices = colours, .commands = 1,
	 .help = "Words"},
};
static const struct opt_table table = {rows, countof(rows), "NP_", commands};

static struct target t;
static struct opts o;
static struct error err;

static inline int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof t);
	opts_init(&o, &table, &t);
	err.text[0] = '\0';
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	opts_free(&o);
	return 0;
}

static inline bool json(const char *text)
{
	return opts_read_json(&o, "f.json", text, strlen(text), &err);
}

static inline void assert_list(const struct text_list *list, const char *joined)
{
	char got[256] = "";
	for (size_t i = 0; i < list->count; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? "|" : "", list->items[i]);
	assert_string_equal(got, joined);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

/* Between the text of a value and a row's field. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/opt_impl.h"
#include "base/quote.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* The first name of a factor is the one that is printed; the largest that divides is used. */
static const struct unit size_units[] = {
	{"GB", 1u << 30},  {"MB", 1u << 20},  {"KB", 1u << 10},	 {"B", 1},
	{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"G", 1u << 30},
	{"M", 1u << 20},   {"K", 1u << 10},   {"", 1},
};
static const struct unit duration_units[] = {
	{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1000},
};

/* ---- text to value ---- */

/* Digits at *p, which is moved behind them. False without any and beyond 2^53, which no value here needs. */
static bool read_digits(const char **p, uint64_t *value)
{
	const char *from = *p;
	*value = 0;
	for (; **p >= '0' && **p <= '9'; ++*p) {
		*value = *value * 10 + (uint64_t)(**p - '0');
		if (*value > (UINT64_C(1) << 53))
			return false;
	}
	return *p > from;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* "1.5s": digits, maybe a fraction, a unit. What the base unit cannot hold exactly is refused. */
static bool read_amount(const char *text, const struct unit *units, size_t count, uint64_t *value)
{
	uint64_t whole, fraction = 0, scale = 1;
	const char *p = text;
	if (!read_digits(&p, &whole))
		return false;
	if (*p == '.') {
		const char *from = ++p;
		if (!read_digits(&p, &fraction) || p - from > 9)
			return false;
		for (; from < p; from++)
			scale *= 10;
	}
	p += *p == ' ';
	const struct unit *unit = find_unit(units, count, p);
	if (!unit || whole > UINT64_MAX / 2 / unit->factor || fraction > UINT64_MAX / 2 / unit->factor ||
	    fraction * unit->factor % scale)
		return false;
	*value = whole * unit->factor + fraction * unit->factor / scale;
	return true;
}

static bool parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = {"true", "1", "yes", "on"}, *const no[] = {"false", "0", "no",
										    "off"};
	for (size_t i = 0; i < countof(yes); i++) {
		bool is_yes = strcasecmp(text, yes[i]) == 0;
		if (is_yes || strcasecmp(text, no[i]) == 0) {
			*value = is_yes;
			return true;
		}
	}
	return false;
}

static const struct opt_choice *find_choice(const struct opt *row, const char *text)
{
	for (const struct opt_choice *c = row->choices; c->name; c++)
		if (strcasecmp(c->name, text) == 0)
			return c;
	return NULL;
}

static bool in_range(const struct opt *row, uint64_t value)
{
	return value >= row->min && value <= row->max;
}

/* A scalar into *field. A row's check is run on texts only: the others have ranges. */
static bool read_scalar(const struct opt *row, const char *text, void *field)
{
	uint64_t value;
	const char *end = text;
	const struct opt_choice *choice;
	switch (row->type) {
	case OPT_BOOL:
		return parse_bool(text, field);
	case OPT_UINT:
		if (!read_digits(&end, &value) || *end || !in_range(row, value))
			return false;
		*(uint32_t *)field = (uint32_t)value;
		return true;
	case OPT_SIZE:
	case OPT_DURATION:
		if (row->type == OPT_SIZE
			    ? !read_amount(text, size_units, countof(size_units), &value)
			    : !read_amount(text, duration_units, countof(duration_units), &value))
			return false;
		if (!in_range(row, value))
			return false;
		*(uint64_t *)field = value;
		return true;
	case OPT_CHOICE:
		choice = find_choice(row, text);
		if (choice)
			*(unsigned *)field = choice->value;
		return choice != NULL;
	default:
		CHECK(!"a scalar");
		return false;
	}
}

/* "\"x\" will not do; allowed: .." with the value left out when it is secret. */
static bool refuse(const struct opt *row, const char *text, const char *why, struct error *err)
{
	struct buf allowed;
	buf_init(&allowed, 110);
	if (why)
		buf_add(&allowed, why, strnlen(why, 110));
	else
		opt_value_allowed(row, &allowed);
	struct quoted q = quote_clip(span_of(text));
	error_set(err, ERR_CONFIG, "%s is not %s%s", row->flags & OPT_SECRET ? "the value" : q.text,
		  why ? "valid: " : "", buf_text(&allowed));
	buf_free(&allowed);
	return false;
}

static bool check_text(const struct opt *row, const char *text, struct error *err)
{
	struct error why;
	if (row->choices && !find_choice(row, text))
		return refuse(row, text, NULL, err);
	/* "" unsets a text; in a list it is nothing. */
	if (row->check && (text[0] || row->type == OPT_LIST) && !row->check(text, &why))
		return refuse(row, text, why.text, err);
	return true;
}

bool opt_value_parse(const struct opt *row, const char *text, void *field, struct error *err)
{
	if (row->type != OPT_TEXT)
		return read_scalar(row, text, field) || refuse(row, text, NULL, err);
	if (!check_text(row, text, err))
		return false;
	char *copy = mem_text(text); /* first: text may be the very value that is replaced */
	opt_value_free(row, field);
	*(const char **)field = copy;
	return true;
}

bool opt_value_set_list(const struct opt *row, struct text_list *items, struct text_list *field,
			struct error *err)
{
	for (size_t i = 0; i < items->count; i++)
		if (!check_text(row, items->items[i], err))
			return false;
	text_list_free(field);
	*field = *items;
	*items = (struct text_list){NULL, 0};
	return true;
}

void opt_value_split(const struct opt *row, const char *text, struct text_list *items)
{
	struct span rest = span_trim(span_of(text)), part;
	char between = row->flags & OPT_SEMICOLONS ? ';' : ',';
	while (rest.n && span_cut(&rest, between, &part)) {
		part = span_trim(part);
		char *item = mem_text_n(part.p, part.n);
		text_list_add(items, item);
		free(item);
	}
}

void opt_value_free(const struct opt *row, void *field)
{
	if (row->type == OPT_TEXT) {
		free(*(char **)field);
		*(char **)field = NULL;
	} else if (row->type == OPT_LIST) {
		text_list_free(field);
	}
}

/* ---- value to text ---- */

static void print_amount(const struct unit *units, uint64_t value, struct buf *out)
{
	if (!value) {
		buf_add_text(out, "0");
		return;
	}
	while (value % units->factor)
		units++;
	buf_printf(out, "%llu%s", (unsigned long long)(value / units->factor), units->name);
}

static void print_json_text(const char *text, struct buf *out)
{
	char piece[256];
	struct span rest = span_of(text);
	size_t taken;
	buf_add_text(out, "\"");
	while (rest.n) {
		size_t n = quote_json(piece, sizeof piece, rest, &taken);
		buf_add(out, piece, n);
		rest = span_from(rest, taken);
	}
	buf_add_text(out, "\"");
}

static const char *choice_name(const struct opt *row, unsigned value)
{
	const struct opt_choice *c = row->choices;
	while (c->value != value)
		c++;
	return c->name;
}

static void print_json_list(const struct opt *row, const struct text_list *list, struct buf *out)
{
	buf_add_text(out, "[");
	for (size_t i = 0; i < list->count; i++) {
		buf_add_text(out, i ? ", " : "");
		print_json_text(row->flags & OPT_SECRET ? "(secret)" : list->items[i], out);
	}
	buf_add_text(out, "]");
}

void opt_value_json(const struct opt *row, const void *field, struct buf *out)
{
	const char *text;
	switch (row->type) {
	case OPT_BOOL:
		buf_add_text(out, *(const bool *)field ? "true" : "false");
		break;
	case OPT_UINT:
		buf_printf(out, "%u", *(const uint32_t *)field);
		break;
	case OPT_SIZE:
	case OPT_DURATION:
		buf_add_text(out, "\"");
		print_amount(row->type == OPT_SIZE ? size_units : duration_units, *(const uint64_t *)field,
			     out);
		buf_add_text(out, "\"");
		break;
	case OPT_CHOICE:
		print_json_text(choice_name(row, *(const unsigned *)field), out);
		break;
	case OPT_TEXT:
		text = *(const char *const *)field;
		print_json_text(row->flags & OPT_SECRET && text[0] ? "(secret)" : text, out);
		break;
	case OPT_LIST:
		print_json_list(row, field, out);
		break;
	case OPT_ACTION:
		break;
	}
}

/* Each value once, by its first name: "error, warn, info or debug". */
static void print_choices(const struct opt_choice *choices, struct buf *out)
{
	size_t count = 0, at = 0;
	for (const struct opt_choice *c = choices; c->name; c++)
		count += c == choices || c->value != c[-1].value;
	for (const struct opt_choice *c = choices; c->name; c++) {
		if (c != choices && c->value == c[-1].value)
			continue;
		at++;
		buf_printf(out, "%s%s", at == 1 ? "" : at == count ? " or " : ", ", c->name);
	}
}

void opt_value_allowed(const struct opt *row, struct buf *out)
{
	if (row->choices) {
		print_choices(row->choices, out);
		return;
	}
	switch (row->type) {
	case OPT_BOOL:
		buf_add_text(out, "true or false");
		break;
	case OPT_UINT:
		buf_printf(out, "a number from %llu to %llu", (unsigned long long)row->min,
			   (unsigned long long)row->max);
		break;
	case OPT_SIZE:
	case OPT_DURATION:
		buf_add_text(out, row->type == OPT_SIZE ? "a size from " : "a time from ");
		print_amount(row->type == OPT_SIZE ? size_units : duration_units, row->min, out);
		buf_add_text(out, " to ");
		print_amount(row->type == OPT_SIZE ? size_units : duration_units, row->max, out);
		break;
	default:
		break;
	}
}

const char *opt_value_arg(const struct opt *row)
{
	static const char *const names[] = {
		[OPT_UINT] = "N",    [OPT_SIZE] = "SIZE", [OPT_DURATION] = "TIME", [OPT_CHOICE] = "WORD",
		[OPT_TEXT] = "TEXT", [OPT_LIST] = "LIST", [OPT_ACTION] = NULL,
	};
	return row->arg ? row->arg : names[row->type];
}

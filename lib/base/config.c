#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"
#include "base/span.h"

#define MAX_DEPTH 4
#define MAX_PATH  128

char *config_slurp(const char *path, size_t *len, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		error_errno(err, errno, "cannot open %s", quote_clip(span_of(path)).text);
		if (err)
			err->kind = ERR_CONFIG;
		return NULL;
	}
	char *text = mem_alloc(CONFIG_MAX_BYTES + 1);
	size_t n = 0;
	ssize_t got = 1;
	while (n <= CONFIG_MAX_BYTES && (got = read(fd, text + n, CONFIG_MAX_BYTES + 1 - n)) > 0)
		n += (size_t)got;
	int code = errno;
	close(fd);
	if (got >= 0 && n <= CONFIG_MAX_BYTES) {
		text[n] = '\0';
		*len = n;
		return text;
	}
	free(text);
	if (got < 0)
		error_errno(err, code, "cannot read %s", quote_clip(span_of(path)).text);
	else
		error_set(err, ERR_CONFIG, "%s is larger than %d bytes", quote_clip(span_of(path)).text,
			  CONFIG_MAX_BYTES);
	if (err)
		err->kind = ERR_CONFIG;
	return NULL;
}

/* ---- JSON ---- */

/* Comments become blanks, so that lines and columns stay what they are. */
static void blank_comments(char *p, size_t n)
{
	bool quoted = false;
	for (size_t i = 0; i < n; i++) {
		if (quoted) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"' || p[i] == '\n')
				quoted = false;
		} else if (p[i] == '"') {
			quoted = true;
		} else if (p[i] == '/' && i + 1 < n && p[i + 1] == '/') {
			while (i < n && p[i] != '\n')
				p[i++] = ' ';
		}
	}
}

struct walk {
	config_visit_fn *fn;
	void *arg;
	char path[MAX_PATH];
};

static void number_text(const json_t *v, char *out, size_t room)
{
	if (json_is_integer(v))
		snprintf(out, room, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		snprintf(out, room, "%.15g", json_real_value(v));
}

static bool visit_list(struct walk *w, const json_t *list, struct error *err)
{
	struct config_value value = {.path = w->path, .kind = CONFIG_LIST};
	bool ok = true;
	size_t i;
	json_t *item;
	json_array_foreach((json_t *)(uintptr_t)list, i, item)
	{
		char number[32];
		if (json_is_string(item)) {
			text_list_add(&value.list, json_string_value(item));
		} else if (json_is_number(item)) {
			number_text(item, number, sizeof number);
			text_list_add(&value.list, number);
		} else {
			ok = error_set(err, ERR_CONFIG, "%s[%zu]: a list holds texts or numbers", w->path, i);
			break;
		}
	}
	ok = ok && w->fn(w->arg, &value, err);
	text_list_free(&value.list);
	return ok;
}

static bool key_is_plain(const char *key)
{
	return key[0] && key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static bool visit(struct walk *w, const json_t *v, int depth, struct error *err);

static bool visit_members(struct walk *w, json_t *object, int depth, struct error *err)
{
	size_t end = strlen(w->path);
	const char *key;
	json_t *member;
	json_object_foreach(object, key, member)
	{
		size_t n = strlen(key);
		if (!key_is_plain(key) || end + n + 2 > sizeof w->path)
			return error_set(err, ERR_CONFIG, "unknown key %s%s%s", w->path, end ? " > " : "",
					 quote_clip(span_of(key)).text);
		snprintf(w->path + end, sizeof w->path - end, "%s%s", end ? "." : "", key);
		bool ok = visit(w, member, depth + 1, err);
		w->path[end] = '\0';
		if (!ok)
			return false;
	}
	return true;
}

static bool visit(struct walk *w, const json_t *v, int depth, struct error *err)
{
	struct config_value value = {.path = w->path};
	char number[32];
	switch (json_typeof(v)) {
	case JSON_NULL:
		value.kind = CONFIG_NULL;
		break;
	case JSON_OBJECT:
		if (depth > MAX_DEPTH)
			return error_set(err, ERR_CONFIG, "%s: nested too deeply", w->path);
		value.kind = CONFIG_SECTION;
		if (depth && !w->fn(w->arg, &value, err))
			return false;
		return visit_members(w, (json_t *)(uintptr_t)v, depth, err);
	case JSON_ARRAY:
		return visit_list(w, v, err);
	case JSON_TRUE:
	case JSON_FALSE:
		value.kind = CONFIG_BOOL;
		value.text = json_is_true(v) ? "true" : "false";
		break;
	case JSON_STRING:
		value.kind = CONFIG_TEXT;
		value.text = json_string_value(v);
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		value.kind = CONFIG_NUMBER;
		number_text(v, number, sizeof number);
		value.text = number;
		break;
	}
	return w->fn(w->arg, &value, err);
}

bool config_parse_json(const char *name, const char *json, size_t len, config_visit_fn *fn, void *arg,
		       struct error *err)
{
	char *text = mem_text_n(json, len);
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		memset(text, ' ', 3); /* a byte order mark, as some editors leave it */
	blank_comments(text, len);
	json_error_t why;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	free(text);
	if (!root) {
		/* The text quotes the file: its own quotes are what is left out here. */
		struct quoted q = quote_clip(span_of(why.text));
		size_t n = strlen(q.text);
		return error_set(err, ERR_CONFIG, "%s:%d:%d: %.*s", name, why.line, why.column, (int)n - 2,
				 q.text + 1);
	}
	struct walk w = {.fn = fn, .arg = arg};
	bool ok = json_is_object(root) ? visit(&w, root, 0, err)
				       : error_set(err, ERR_CONFIG, "the file must hold one object, {..}");
	json_decref(root);
	return ok || error_wrap(err, "%s", name);
}

/* ---- NAME=VALUE ---- */

static bool name_is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] == '_' || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= 'a' && s.p[i] <= 'z') ||
		      (i && s.p[i] >= '0' && s.p[i] <= '9')))
			return false;
	return s.n > 0;
}

static bool env_line(struct span line, config_visit_fn *fn, void *arg, struct error *err)
{
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	line = span_trim(line);
	if (!line.n || line.p[0] == '#')
		return true;
	if (span_starts(line, SPAN("export ")))
		line = span_trim(span_from(line, 7));
	struct span value = line, name;
	span_cut(&value, '=', &name);
	name = span_trim(name);
	if (!value.p || !name_is_plain(name))
		return error_set(err, ERR_CONFIG, "not NAME=VALUE");
	value = span_trim(value);
	if (value.n && (value.p[0] == '"' || value.p[0] == '\'')) {
		if (value.n < 2 || value.p[value.n - 1] != value.p[0])
			return error_set(err, ERR_CONFIG, "%.*s: the quote is not closed",
					 name.n > 64 ? 64 : (int)name.n, name.p);
		value = (struct span){value.p + 1, value.n - 2};
	}
	char *n = mem_text_n(name.p, name.n), *v = mem_text_n(value.p, value.n);
	bool ok = fn(arg, &(struct config_value){.path = n, .kind = CONFIG_TEXT, .text = v}, err);
	mem_wipe(v, value.n);
	free(n);
	free(v);
	return ok;
}

bool config_parse_env(const char *name, const char *text, size_t len, config_visit_fn *fn, void *arg,
		      struct error *err)
{
	if (memchr(text, '\0', len))
		return error_set(err, ERR_CONFIG, "%s: holds a NUL byte", name);
	struct span rest = {text, len}, line;
	for (int number = 1; span_cut(&rest, '\n', &line); number++)
		if (!env_line(line, fn, arg, err))
			return error_wrap(err, "%s:%d", name, number);
	return true;
}

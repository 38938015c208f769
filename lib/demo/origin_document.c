#include "demo/origin_document.h"

#include <stdlib.h>

#include "base/mem.h"
#include "demo/hex.h"

json_t *document_text(struct span s)
{
	json_t *text = json_stringn(s.n ? s.p : "", s.n);
	if (text)
		return text;
	struct buf wide;
	buf_init(&wide, 2 * s.n);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		char two[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};
		buf_add(&wide, c < 0x80 ? (char *)&c : two, c < 0x80 ? 1 : 2);
	}
	text = json_stringn(wide.p, wide.n);
	buf_free(&wide);
	return text;
}

/* A name twice gives its values by commas (RFC 9110 section 5.2). */
static void add_text(json_t *object, struct span name, struct span value)
{
	char *key = mem_text_n(name.p, name.n);
	const json_t *old = json_object_get(object, key);
	struct buf joined;
	buf_init(&joined, DOCUMENT_MAX);
	if (old) {
		buf_add(&joined, json_string_value(old), json_string_length(old));
		buf_add_text(&joined, ", ");
	}
	buf_add_span(&joined, value);
	json_object_set_new(object, key, document_text(buf_span(&joined)));
	buf_free(&joined);
	free(key);
}

static json_t *fields_of(const struct head *h)
{
	json_t *fields = json_object();
	for (size_t i = 0; i < h->count; i++)
		add_text(fields, h->fields[i].name, h->fields[i].value);
	return fields;
}

static json_t *args_of(struct span target)
{
	json_t *args = json_object();
	struct span pair, name;
	span_cut(&target, '?', &pair);
	while (target.n && span_cut(&target, '&', &pair)) {
		if (!span_cut(&pair, '=', &name))
			continue;
		add_text(args, name, pair.p ? pair : (struct span){"", 0});
	}
	return args;
}

json_t *document_echo(const struct head *h, const char *authority, struct span body, uint64_t received,
		      const uint8_t sha256[32])
{
	char digest[HEX_SHA256], *url = NULL;
	bool whole = body.n == received;
	hex_sha256(sha256, digest);
	if (asprintf(&url, "https://%s%.*s", authority, SPAN_ARG(h->target)) < 0)
		abort();
	json_t *d = json_object(), *data = whole ? json_stringn(body.n ? body.p : "", body.n) : NULL;
	json_object_set_new(d, "method", document_text(h->method));
	json_object_set_new(d, "url", document_text(span_of(url)));
	json_object_set_new(d, "args", args_of(h->target));
	json_object_set_new(d, "headers", fields_of(h));
	json_object_set_new(d, "bytes", json_integer((json_int_t)received));
	json_object_set_new(d, "sha256", json_string(digest));
	json_object_set_new(d, "chunked", json_boolean(h->framing == BODY_CHUNKED));
	json_object_set_new(d, "data", data ? data : json_string(""));
	json_t *value = whole && body.n ? json_loadb(body.p, body.n, JSON_DECODE_ANY, NULL) : NULL;
	json_object_set_new(d, "json", value ? value : json_null());
	free(url);
	return d;
}

json_t *document_headers(const struct head *h)
{
	return json_pack("{s:o}", "headers", fields_of(h));
}

json_t *document_post(long id)
{
	return json_pack("{s:i, s:i, s:s, s:s}", "userId", (int)(id / 10 + 1), "id", (int)id, "title",
			 "what the proxy carries", "body",
			 "nobody between the enclave and this service can read it");
}

json_t *document_user(struct span name)
{
	unsigned id = 0;
	for (size_t i = 0; i < name.n; i++)
		id = id * 31 + (uint8_t)name.p[i];
	return json_pack("{s:o, s:i, s:s}", "login", document_text(name), "id", (int)(id % 1000000), "type",
			 "User");
}

json_t *document_error(const char *why)
{
	return json_pack("{s:s}", "error", why);
}

void document_print(json_t *document, struct buf *out)
{
	char *text = json_dumps(document, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	buf_add_text(out, text ? text : "null");
	buf_add_text(out, "\n");
	free(text);
	json_decref(document);
}

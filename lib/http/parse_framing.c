/*
 * Where a body ends (RFC 9112 section 6.3). This is what request smuggling is made of,
 * so it is decided here and nowhere else, and whatever a neighbour could read
 * differently is an error: see the table in tests/unit/http/test_parse.c.
 */
#include "http/parse_impl.h"

#define LENGTH_MAX INT64_MAX

/* 1*DIGIT without a sign or anything around it; no leading zero, which some take for octal. */
static bool read_length(struct span s, uint64_t *length)
{
	if (s.n == 0 || (s.n > 1 && s.p[0] == '0'))
		return false;
	*length = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.p[i] - '0');
		if (*length > (LENGTH_MAX - digit) / 10)
			return false;
		*length = *length * 10 + digit;
	}
	return true;
}

/* A tab may stand around a value, but no honest sender puts one around these, and not all parsers skip it. */
static bool tab_around(const struct field *f)
{
	const char *p = f->name.p + f->name.n;
	const char *end = f->value.p + f->value.n;
	for (; p < f->value.p; p++)
		if (*p == '\t')
			return true;
	for (; *end == ' ' || *end == '\t'; end++)
		if (*end == '\t')
			return true;
	return false;
}

/* The fields themselves, before it is asked what they mean for this message. */
static bool read_fields(const struct head *h, bool *chunked, bool *has_length, uint64_t *length,
			struct error *err)
{
	enum error_kind bad = parse_bad(h->kind);
	size_t codings = head_count(h, "Transfer-Encoding"), lengths = head_count(h, "Content-Length");

	*chunked = *has_length = false;
	*length = 0;
	if (codings && lengths)
		return error_set(err, bad, "both Transfer-Encoding and Content-Length are given");
	if (codings > 1 || lengths > 1)
		return error_set(err, bad, "%s is given more than once",
				 codings ? "Transfer-Encoding" : "Content-Length");
	if (codings) {
		const struct field *f = head_find(h, "Transfer-Encoding");
		if (h->minor == 0)
			return error_set(err, bad, "Transfer-Encoding does not exist in HTTP/1.0");
		if (!span_is_nocase(f->value, SPAN("chunked")) || tab_around(f))
			return error_set(err, bad, "Transfer-Encoding is not just \"chunked\"");
		*chunked = true;
	}
	if (lengths) {
		const struct field *f = head_find(h, "Content-Length");
		if (!read_length(f->value, length) || tab_around(f))
			return error_set(err, bad, "Content-Length is not a plain number");
		*has_length = true;
	}
	return true;
}

static bool frame_request(struct head *h, bool chunked, uint64_t length, struct error *err)
{
	if (head_method_is(h, "CONNECT") && (chunked || length))
		return error_set(err, ERR_BAD_REQUEST, "CONNECT cannot have a body");
	h->framing = chunked ? BODY_CHUNKED : length ? BODY_LENGTH : BODY_NONE;
	return true;
}

static bool frame_response(struct head *h, enum parse_asked asked, bool chunked, bool has_length,
			   struct error *err)
{
	if (h->status == 101) {
		if (chunked || has_length)
			return error_set(err, ERR_BAD_RESPONSE, "a 101 answer with a body");
		h->framing = BODY_RAW;
	} else if (asked == ASKED_CONNECT && h->status >= 200 && h->status < 300) {
		h->framing = BODY_RAW;
	} else if (asked == ASKED_HEAD || head_status_bodyless(h->status)) {
		h->framing = BODY_NONE;
	} else if (chunked) {
		h->framing = BODY_CHUNKED;
	} else if (has_length) {
		h->framing = h->body_length ? BODY_LENGTH : BODY_NONE;
	} else {
		h->framing = BODY_CLOSE;
	}
	return true;
}

bool parse_framing(struct head *h, enum parse_asked asked, const struct parse_view *view, struct error *err)
{
	bool chunked, has_length;
	uint64_t length;

	if (!read_fields(h, &chunked, &has_length, &length, err))
		return false;
	if (chunked != view->chunked || has_length != view->has_length ||
	    (has_length && length != view->length))
		return error_set(err, parse_bad(h->kind), "the framing fields can be read in two ways");
	h->body_length = length;
	bool ok = h->kind == HEAD_REQUEST ? frame_request(h, chunked, length, err)
					  : frame_response(h, asked, chunked, has_length, err);
	if (ok && h->framing != BODY_LENGTH)
		h->body_length = 0;
	return ok;
}

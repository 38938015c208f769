/*
 * Field lines, through llhttp with no leniency at all. llhttp wants a whole message, so
 * it is given a start line of ours first; what it makes of the framing fields is handed
 * out as a second opinion.
 */
#include <llhttp.h>

#include "base/check.h"
#include "http/parse_impl.h"

struct reading {
	struct head *h;
	size_t max;
	struct span name, value;
	bool too_many, complete;
};

/* Grows s by bytes that must follow it directly: a field that is not one piece is not passed. */
static bool append(struct span *s, const char *at, size_t n)
{
	if (!s->p)
		s->p = at;
	if (s->p + s->n != at)
		return false;
	s->n += n;
	return true;
}

static int on_name(llhttp_t *p, const char *at, size_t n)
{
	struct reading *r = p->data;
	return append(&r->name, at, n) ? 0 : -1;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
	struct reading *r = p->data;
	return append(&r->value, at, n) ? 0 : -1;
}

static int on_field(llhttp_t *p)
{
	struct reading *r = p->data;
	struct span value = r->value.p ? span_trim(r->value) : (struct span){"", 0};
	if (r->h->count == r->max) {
		r->too_many = true;
		return -1;
	}
	head_add(r->h, r->name, value);
	r->h->fields[r->h->count - 1].parsed = true;
	r->name = r->value = (struct span){NULL, 0};
	return 0;
}

/* Stops llhttp here: bodies are none of its business. */
static int on_complete(llhttp_t *p)
{
	struct reading *r = p->data;
	r->complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_field,
	.on_headers_complete = on_complete,
};

/* What vectors can count to in one byte. */
#define STRIDE 255

/* In vectors of bytes, which is why nothing in the inner loop is wider than one. */
static size_t count_lines(struct span s)
{
	size_t n = 0;
	while (s.n) {
		size_t take = s.n < STRIDE ? s.n : STRIDE;
		uint8_t some = 0;
		for (size_t i = 0; i < take; i++)
			some = (uint8_t)(some + (s.p[i] == '\n'));
		n += some;
		s = span_from(s, take);
	}
	return n;
}

/*
 * Nothing but text and line ends, all lines in one go. llhttp says the same byte by byte; that a name is a
 * token it says alone (tests/unit/http/test_parse.c asks it about every byte).
 */
static bool is_text(struct span s)
{
	uint8_t bad = 0;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bad |= (uint8_t)((c < ' ') & (c != '\t') & (c != '\r') & (c != '\n'));
		bad |= (uint8_t)(c == 0x7f);
	}
	return !bad;
}

bool parse_fields(struct span bytes, size_t fields_max, struct head *h, struct parse_view *view,
		  struct error *err)
{
	static const struct span start_lines[2][2] = {
		[HEAD_REQUEST] = {{"POST / HTTP/1.0\r\n", 17}, {"POST / HTTP/1.1\r\n", 17}},
		[HEAD_RESPONSE] = {{"HTTP/1.0 200 OK\r\n", 17}, {"HTTP/1.1 200 OK\r\n", 17}},
	};
	struct span line = start_lines[h->kind][h->minor];
	struct reading r = {.h = h, .max = fields_max};
	llhttp_t p;

	h->count = 0;
	h->names = 0;
	if (!is_text(bytes))
		return error_set(err, parse_bad(h->kind),
				 "the header fields have a control character in them");
	llhttp_init(&p, h->kind == HEAD_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
	p.data = &r;
	llhttp_errno_t result = llhttp_execute(&p, line.p, line.n);
	CHECK(result == HPE_OK);
	result = llhttp_execute(&p, bytes.p, bytes.n);
	if (r.too_many)
		return error_set(err, parse_too_big(h->kind), "more than %zu header fields", fields_max);
	if (result != HPE_PAUSED || !r.complete || llhttp_get_error_pos(&p) != bytes.p + bytes.n)
		return error_set(err, parse_bad(h->kind), "the header fields are malformed (%s)",
				 llhttp_errno_name(result));
	/* A field that goes over two lines (obs-fold) has been read in as many ways as there are parsers. */
	if (count_lines(bytes) != h->count + 1)
		return error_set(err, parse_bad(h->kind), "a header field is folded over several lines");
	view->chunked = p.flags & F_CHUNKED;
	view->has_length = p.flags & F_CONTENT_LENGTH;
	view->length = p.content_length;
	return true;
}

#include "http/parse.h"

#include "base/check.h"
#include "http/parse_impl.h"

static const bool token_chars[256] = {
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,	 ['#'] = true,
	['$'] = true,	      ['%'] = true,	    ['&'] = true,	  ['\''] = true, ['*'] = true,
	['+'] = true,	      ['-'] = true,	    ['.'] = true,	  ['^'] = true,	 ['_'] = true,
	['`'] = true,	      ['|'] = true,	    ['~'] = true,
};

bool parse_is_token(struct span s)
{
	bool good = s.n > 0;
	for (size_t i = 0; i < s.n; i++)
		good &= token_chars[(unsigned char)s.p[i]];
	return good;
}

bool parse_is_value(struct span s)
{
	uint8_t bad = 0; /* bytes without a branch: compilers make vectors of this */
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bad |= (uint8_t)((c < ' ') & (c != '\t'));
		bad |= (uint8_t)(c == 0x7f);
	}
	return !bad;
}

/* Cuts the start line, without its CRLF, off bytes. */
static bool cut_line(struct span *bytes, struct span *line)
{
	span_cut(bytes, '\n', line);
	if (!bytes->p || line->n == 0 || line->p[line->n - 1] != '\r')
		return false;
	line->n--;
	return true;
}

static bool wants_keep_alive(const struct head *h)
{
	if (head_list_has(h, "Connection", "close"))
		return false;
	return h->minor == 1 || head_list_has(h, "Connection", "keep-alive");
}

/* See parse.h: exactly one protocol, and none by which HTTP could go on past us unseen. */
static bool names_one_upgrade(const struct head *h)
{
	const struct field *f = head_find(h, "Upgrade");
	if (h->minor == 0 || !f || head_count(h, "Upgrade") > 1 || !head_list_has(h, "Connection", "upgrade"))
		return false;
	struct span version = f->value, name;
	if (!span_cut(&version, '/', &name) || !parse_is_token(name) ||
	    (version.p && !parse_is_token(version)))
		return false;
	static const char *const refused[] = {"h2c", "h2", "HTTP", "TLS"};
	for (size_t i = 0; i < countof(refused); i++)
		if (span_is_nocase(name, span_of(refused[i])))
			return false;
	return true;
}

static bool is_host_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

/*
 * host [":" port], in characters only: what it means is target.h's business. Sub-delims and
 * %-escapes, which RFC 3986 would allow, occur in no name that resolves.
 */
static bool is_host(struct span s)
{
	size_t i = 0;
	if (s.n && s.p[0] == '[') {
		const char *end = memchr(s.p, ']', s.n);
		if (!end)
			return false;
		for (i = 1; s.p + i < end; i++)
			if (!is_host_char(s.p[i]) && s.p[i] != ':')
				return false;
		i++;
	} else {
		while (i < s.n && is_host_char(s.p[i]))
			i++;
	}
	if (i == 0 || i == s.n)
		return i > 0;
	if (s.p[i] != ':' || s.n - i < 2 || s.n - i > 6)
		return false;
	for (i++; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

static bool check_host(const struct head *h, struct error *err)
{
	size_t n = head_count(h, "Host");
	if (n > 1)
		return error_set(err, ERR_BAD_REQUEST, "more than one Host field");
	if (n == 0 && h->minor == 1)
		return error_set(err, ERR_BAD_REQUEST, "an HTTP/1.1 request without a Host field");
	if (n && !is_host(head_find(h, "Host")->value))
		return error_set(err, ERR_BAD_REQUEST, "the Host field is not a host and port");
	return true;
}

/* The only expectation there is (RFC 9110 section 10.1.1); 1.0 clients cannot have it. */
static bool read_expect(struct head *h, struct error *err)
{
	const struct field *f = head_find(h, "Expect");
	h->expect_continue = false;
	if (!f || h->minor == 0)
		return true;
	if (head_count(h, "Expect") > 1 || !span_is_nocase(f->value, SPAN("100-continue")))
		return error_set(err, ERR_EXPECT, "an expectation other than 100-continue");
	h->expect_continue = true;
	return true;
}

bool parse_request_head(struct span bytes, const struct parse_limits *limits, struct head *h,
			struct error *err)
{
	struct span line;
	struct parse_view view;

	head_init_request(h, (struct span){"", 0}, (struct span){"", 0});
	if (!parse_fits(bytes, HEAD_REQUEST, limits, err))
		return false;
	if (!cut_line(&bytes, &line))
		return error_set(err, ERR_BAD_REQUEST, "the request line does not end with CRLF");
	if (!parse_request_line(line, limits->target_bytes, h, err) ||
	    !parse_fields(bytes, parse_fields_max(limits), h, &view, err) ||
	    !parse_framing(h, ASKED_OTHER, &view, err) || !check_host(h, err) || !read_expect(h, err))
		return false;
	h->keep_alive = wants_keep_alive(h);
	h->upgrade = h->framing == BODY_NONE && names_one_upgrade(h);
	return true;
}

bool parse_response_head(struct span bytes, enum parse_asked asked, const struct parse_limits *limits,
			 struct head *h, struct error *err)
{
	struct span line;
	struct parse_view view;

	head_init_response(h, 0, (struct span){"", 0});
	if (!parse_fits(bytes, HEAD_RESPONSE, limits, err))
		return false;
	if (!cut_line(&bytes, &line))
		return error_set(err, ERR_BAD_RESPONSE, "the status line does not end with CRLF");
	if (!parse_status_line(line, h, err) ||
	    !parse_fields(bytes, parse_fields_max(limits), h, &view, err) ||
	    !parse_framing(h, asked, &view, err))
		return false;
	h->keep_alive = h->framing != BODY_CLOSE && h->framing != BODY_RAW && wants_keep_alive(h);
	h->upgrade = h->status == 101 && names_one_upgrade(h);
	return true;
}

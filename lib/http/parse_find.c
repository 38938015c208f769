/*
 * Where a head ends, while its bytes come in. One pass over the bytes, LF by LF; the
 * start line is looked at early only when the head is not whole yet.
 */
#include "http/parse_impl.h"

/* The first bytes tell a wrong protocol before there is a line. */
static bool begins_well(struct span bytes, enum head_kind kind, struct error *err)
{
	if (kind == HEAD_RESPONSE) {
		if (memcmp(bytes.p, "HTTP/", bytes.n < 5 ? bytes.n : 5) != 0)
			return error_set(err, ERR_BAD_RESPONSE, "the answer is not HTTP");
		return true;
	}
	if (bytes.p[0] == 0x16)
		return error_set(err, ERR_BAD_REQUEST,
				 "a TLS handshake came where plain HTTP is spoken: "
				 "the proxy's own address begins with http://");
	if (bytes.p[0] != '\r' && !parse_is_token((struct span){bytes.p, 1}))
		return error_set(err, ERR_BAD_REQUEST, "the request does not begin with a method");
	return true;
}

static bool check_first_line(struct head_scan *scan, struct span bytes, enum head_kind kind,
			     const struct parse_limits *limits, struct error *err)
{
	struct head scratch;
	struct span rest = span_from(bytes, scan->start), line = {NULL, 0};

	span_cut(&rest, '\n', &line);
	if (rest.p) {
		scan->line_ok = true;
		line.n--; /* its CR: every LF that was let by has one in front */
		return kind == HEAD_REQUEST ? parse_request_line(line, limits->target_bytes, &scratch, err)
					    : parse_status_line(line, &scratch, err);
	}
	if (kind == HEAD_REQUEST && line.n > LINE_REST_MAX && line.n - LINE_REST_MAX > limits->target_bytes)
		return error_set(err, ERR_URL_SIZE, "the request line is longer than %zu bytes",
				 limits->target_bytes);
	return true;
}

static bool find_blank_line(struct head_scan *scan, struct span bytes, enum head_kind kind, struct error *err)
{
	while (scan->seen < bytes.n && !scan->end) {
		const char *lf = memchr(bytes.p + scan->seen, '\n', bytes.n - scan->seen);
		if (!lf) {
			scan->seen = bytes.n;
			break;
		}
		size_t at = (size_t)(lf - bytes.p);
		if (at == 0 || lf[-1] != '\r')
			return error_set(err, parse_bad(kind), "a line of the head ends without CR");
		if (at == 1 && kind == HEAD_REQUEST)
			/* Some clients end a body with a CRLF too many (RFC 9112 section 2.2). */
			scan->start = 2;
		else if (at == scan->start + 1)
			return error_set(err, parse_bad(kind), "an empty line where a head should begin");
		else if (lf[-2] == '\n')
			scan->end = at + 1;
		scan->seen = at + 1;
	}
	return true;
}

enum head_found parse_find_head(struct head_scan *scan, struct span bytes, enum head_kind kind,
				const struct parse_limits *limits, struct error *err)
{
	if (bytes.n == 0)
		return HEAD_MORE;
	if (!begins_well(bytes, kind, err) || !find_blank_line(scan, bytes, kind, err))
		return HEAD_BAD;
	size_t length = (scan->end ? scan->end : bytes.n) - scan->start;
	bool too_long = length > parse_head_max(limits);
	if (!scan->line_ok && (!scan->end || too_long) && !check_first_line(scan, bytes, kind, limits, err))
		return HEAD_BAD;
	if (too_long) {
		bool in_line = kind == HEAD_REQUEST && !scan->line_ok;
		error_set(err, in_line ? ERR_URL_SIZE : parse_too_big(kind),
			  "the %s is longer than %zu bytes", in_line ? "request line" : "head",
			  parse_head_max(limits));
		return HEAD_BAD;
	}
	return scan->end ? HEAD_WHOLE : HEAD_MORE;
}

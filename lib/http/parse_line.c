/*
 * Start lines, by hand: llhttp knows registered methods only, and we pass on what we do
 * not know as it is.
 */
#include "http/parse_impl.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/d.d" */
static bool is_version(struct span s)
{
	return s.n == 8 && memcmp(s.p, "HTTP/", 5) == 0 && is_digit(s.p[5]) && s.p[6] == '.' &&
	       is_digit(s.p[7]);
}

/* Spaces and controls would make two targets of one, and a fragment is the client's own affair. */
bool parse_is_target(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == 0x7f || c == '#')
			return false;
	}
	return s.n > 0;
}

/*
 *	method SP target SP HTTP/1.d
 *
 * The version is cut off at the end and the method at the front; what is between must
 * be a target, so that a second space anywhere is an error.
 *
 * What has the form of a version, but is neither 1.0 nor 1.1, is 505, whichever digit is odd. RFC 9110
 * section 2.5 would have a server take 1.2 for 1.1; no such version exists, and whoever writes it is looking
 * for two readers that disagree.
 */
bool parse_request_line(struct span line, size_t target_max, struct head *h, struct error *err)
{
	struct span rest = line, method;
	span_cut(&rest, ' ', &method);
	if (!rest.p || method.n > METHOD_MAX || !parse_is_token(method))
		return error_set(err, ERR_BAD_REQUEST, "the request line has no method and target");
	if (rest.n < 10 || rest.p[rest.n - 9] != ' ' || !is_version(span_from(rest, rest.n - 8)))
		return error_set(err, ERR_BAD_REQUEST, "the request line does not end with an HTTP version");
	struct span target = {rest.p, rest.n - 9};
	char major = rest.p[rest.n - 3], minor = rest.p[rest.n - 1];
	if (major != '1' || minor > '1')
		return error_set(err, ERR_VERSION, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	if (target.n > target_max)
		return error_set(err, ERR_URL_SIZE, "the request target has %zu bytes, the limit is %zu",
				 target.n, target_max);
	if (!parse_is_target(target))
		return error_set(err, ERR_BAD_REQUEST,
				 "the request target has a space, a control character or a #fragment in it");
	h->method = method;
	h->target = target;
	h->minor = minor - '0';
	return true;
}

/*
 *	HTTP/1.d SP ddd SP reason
 *
 * The reason may be empty, and many servers leave out the space in front of it, too.
 */
bool parse_status_line(struct span line, struct head *h, struct error *err)
{
	if (line.n < 12 || !is_version((struct span){line.p, 8}) || line.p[8] != ' ')
		return error_set(err, ERR_BAD_RESPONSE, "the answer does not begin with a status line");
	if (line.p[5] != '1' || line.p[7] > '1')
		return error_set(err, ERR_BAD_RESPONSE, "the answer is neither HTTP/1.1 nor HTTP/1.0");
	const char *d = line.p + 9;
	if (!is_digit(d[0]) || !is_digit(d[1]) || !is_digit(d[2]) || d[0] == '0' ||
	    (line.n > 12 && line.p[12] != ' '))
		return error_set(err, ERR_BAD_RESPONSE,
				 "the answer's status is not a number of three digits");
	struct span reason = line.n > 12 ? span_from(line, 13) : (struct span){"", 0};
	if (!parse_is_value(reason))
		return error_set(err, ERR_BAD_RESPONSE, "the answer's status line has a control character");
	h->status = (d[0] - '0') * 100 + (d[1] - '0') * 10 + (d[2] - '0');
	h->reason = reason;
	h->minor = line.p[7] - '0';
	return true;
}

#include "base/check.h"
#include "http/parse_impl.h"

/* Whoever honours one of these behind the body reads another message than we did. */
static const char *const fatal[] = {"Content-Length", "Transfer-Encoding", "Host"};

/* Meant for the head, or for one connection: left out. */
static const char *const dropped[] = {
	"Authorization",
	"Cache-Control",
	"Connection",
	"Content-Encoding",
	"Content-Range",
	"Content-Type",
	"Cookie",
	"Expect",
	"Keep-Alive",
	"Location",
	"Max-Forwards",
	"Proxy-Authenticate",
	"Proxy-Authorization",
	"Proxy-Connection",
	"Range",
	"Set-Cookie",
	"TE",
	"Trailer",
	"Upgrade",
	"Via",
	"WWW-Authenticate",
	"X-Target-URL",
};

bool parse_trailers(struct span bytes, enum head_kind kind, const struct parse_limits *limits, struct head *h,
		    struct error *err)
{
	struct parse_view view;

	if (kind == HEAD_REQUEST)
		head_init_request(h, (struct span){"", 0}, (struct span){"", 0});
	else
		head_init_response(h, 0, (struct span){"", 0});
	if (!parse_fits(bytes, kind, limits, err) ||
	    !parse_fields(bytes, parse_fields_max(limits), h, &view, err))
		return false;
	for (size_t i = 0; i < countof(fatal); i++)
		if (head_count(h, fatal[i]))
			return error_set(err, parse_bad(kind), "%s among the trailers", fatal[i]);
	for (size_t i = 0; i < countof(dropped); i++)
		head_remove(h, dropped[i]);
	return true;
}

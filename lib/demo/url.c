#include <stdio.h>
#include <stdlib.h>

#include "demo/fetch.h"

static bool bad(struct error *err)
{
	return error_set(err, ERR_CONFIG, "not a URL such as https://host:8443/path");
}

bool url_parse(const char *text, struct url *u, struct error *err)
{
	struct span rest = span_of(text), authority, host;
	unsigned long port;
	if (span_starts(rest, SPAN("https://")))
		rest = span_from(rest, 8), port = 443;
	else if (span_starts(rest, SPAN("http://")))
		rest = span_from(rest, 7), port = 80;
	else
		return bad(err);
	u->path = strchr(rest.p, '/');
	span_cut(&rest, '/', &authority);
	if (!u->path)
		u->path = "/";
	snprintf(u->authority, sizeof u->authority, "%.*s", SPAN_ARG(authority));
	char *at = u->authority, *colon = strrchr(at, ':'), *bracket = strchr(at, ']');
	if (colon && colon > bracket) {
		char *end;
		port = strtoul(colon + 1, &end, 10);
		if (*end || end == colon + 1)
			return bad(err);
	} else {
		colon = at + strlen(at);
	}
	host = at[0] == '[' && bracket ? (struct span){at + 1, (size_t)(bracket - at - 1)}
				       : (struct span){at, (size_t)(colon - at)};
	if (!host.n || host.n >= sizeof u->host || authority.n >= sizeof u->authority || !port ||
	    port > 65535)
		return bad(err);
	snprintf(u->host, sizeof u->host, "%.*s", SPAN_ARG(host));
	u->port = (uint16_t)port;
	return true;
}

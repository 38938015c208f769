#include "http/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/parse.h"

static bool bad(struct error *err, const char *why)
{
	return error_set(err, ERR_BAD_REQUEST, "%s", why);
}

/* ---- host and port ---- */

/* host [ ":" port ]. port stays as it is when there is none. */
static bool read_authority(struct span authority, char host[HOSTNAME_MAX], enum hostname_type *type,
			   uint16_t *port, bool *has_port, struct error *err)
{
	struct span name = authority;
	const char *end = NULL;

	*has_port = false;
	if (authority.n == 0)
		return bad(err, "the target has no host: write https://host/path");
	if (memchr(authority.p, '@', authority.n))
		return bad(err,
			   "the target has a user name in it: send credentials in an Authorization field");
	if (authority.p[0] == '[') {
		const char *bracket = memchr(authority.p, ']', authority.n);
		if (!bracket)
			return bad(err, "the target's IPv6 address has no closing bracket");
		name.n = (size_t)(bracket + 1 - authority.p);
		if (name.n < authority.n)
			end = bracket + 1;
		if (end && *end != ':')
			return bad(err, "behind the target's IPv6 address comes neither a port nor a path");
	} else if ((end = memchr(authority.p, ':', authority.n))) {
		name.n = (size_t)(end - authority.p);
	}
	if (end && !hostname_port(span_from(authority, name.n + 1), port))
		return bad(err, "the target's port is not a number from 1 to 65535");
	*has_port = end != NULL;
	return hostname_canonical(name, host, type, err);
}

/* By hand, for every request passes here, some of them twice. */
void target_authority(const struct target *t, char out[TARGET_AUTHORITY_MAX])
{
	bool v6 = t->type == HOSTNAME_IPV6;
	size_t n = strlen(t->host);
	if (v6)
		*out++ = '[';
	memcpy(out, t->host, n);
	out += n;
	if (v6)
		*out++ = ']';
	if (t->kind == TARGET_TUNNEL || t->port != (t->https ? 443 : 80)) {
		*out++ = ':';
		for (unsigned unit = 10000, seen = 0; unit; unit /= 10) {
			seen |= t->port / unit;
			if (seen)
				*out++ = (char)('0' + t->port / unit % 10);
		}
	}
	*out = '\0';
}

/* ---- URLs ---- */

/* Takes "https:" or "http:" off the front. */
static bool cut_scheme(struct span *url, bool *https)
{
	static const struct span schemes[] = {{"http:", 5}, {"https:", 6}};
	for (int i = 0; i < 2; i++) {
		size_t n = schemes[i].n;
		if (url->n >= n && span_is_nocase((struct span){url->p, n}, schemes[i])) {
			*url = span_from(*url, n);
			*https = i == 1;
			return true;
		}
	}
	return false;
}

/* What goes on the next request line for the part of a URL behind its authority. */
static void set_path(const struct head *h, struct span rest, struct target *t)
{
	if (rest.n == 0) {
		/* RFC 9112 section 3.2.4: this is how OPTIONS * passes a proxy. */
		t->path = head_method_is(h, "OPTIONS") ? SPAN("*") : SPAN("/");
	} else if (rest.p[0] == '/') {
		t->path = rest;
	} else {
		t->joined = mem_alloc(rest.n + 1);
		t->joined[0] = '/';
		memcpy(t->joined + 1, rest.p, rest.n);
		t->path = (struct span){t->joined, rest.n + 1};
	}
}

/* merged: "https:/host" will do, too: clients and proxies like to tidy up "//" in a path. */
static bool read_url(const struct head *h, struct span url, bool merged, struct target *t, struct error *err)
{
	bool has_port;

	t->kind = TARGET_URL;
	if (!cut_scheme(&url, &t->https))
		return bad(err, "the target is not an https:// or http:// URL");
	if (span_starts(url, SPAN("//")))
		url = span_from(url, 2);
	else if (merged && span_starts(url, SPAN("/")))
		url = span_from(url, 1);
	else
		return bad(err, "the target URL lacks the two slashes in front of its host");
	size_t n = 0;
	while (n < url.n && url.p[n] != '/' && url.p[n] != '?')
		n++;
	t->port = t->https ? 443 : 80;
	if (!read_authority((struct span){url.p, n}, t->host, &t->type, &t->port, &has_port, err))
		return false;
	set_path(h, span_from(url, n), t);
	return true;
}

static bool same(const struct target *a, const struct target *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0 &&
	       span_is(a->path, b->path);
}

/* ---- the forms ---- */

/*
 * A Host field beside a target that is spelled out must name the same place; which of the two is
 * right, proxies have disagreed about before.
 */
static bool check_host(const struct head *h, const struct target *t, struct error *err)
{
	const struct field *f = head_find(h, "Host");
	char host[HOSTNAME_MAX];
	enum hostname_type type;
	bool has_port;
	/* CONNECT has no default port: a Host without one says nothing about it. */
	uint16_t port = t->kind == TARGET_TUNNEL ? t->port : t->https ? 443 : 80;

	if (!f)
		return true;
	if (!read_authority(f->value, host, &type, &port, &has_port, err))
		return error_wrap(err, "Host field");
	if (port != t->port || strcmp(host, t->host) != 0)
		return bad(err,
			   "the Host field and the request line name different hosts: make them the same");
	return true;
}

static bool read_connect(const struct head *h, struct target *t, struct error *err)
{
	bool has_port;

	t->kind = TARGET_TUNNEL;
	if (head_count(h, "X-Target-URL"))
		return bad(err, "X-Target-URL has no meaning beside CONNECT: leave it out");
	if (memchr(h->target.p, '/', h->target.n))
		return bad(err, "CONNECT takes host:port, not a URL");
	if (!read_authority(h->target, t->host, &t->type, &t->port, &has_port, err))
		return false;
	if (!has_port)
		return bad(err, "CONNECT takes host:port, and the port is missing");
	return check_host(h, t, err);
}

/* What the request line says on its own. */
static bool read_request_line(const struct head *h, struct target *t, struct error *err)
{
	struct span target = h->target, url;
	bool https;

	if (target.p[0] == '/') {
		url = span_from(target, 1);
		if (cut_scheme(&url, &https))
			return read_url(h, span_from(target, 1), true, t, err);
	} else if (!span_is(target, SPAN("*"))) {
		return read_url(h, target, false, t, err) && check_host(h, t, err);
	} else if (!head_method_is(h, "OPTIONS")) {
		return bad(err, "only OPTIONS can be asked of *");
	}
	t->kind = TARGET_SELF;
	t->path = target;
	return true;
}

static bool read_field(const struct head *h, const struct field *f, size_t url_max, struct target *t,
		       struct error *err)
{
	if (head_count(h, "X-Target-URL") > 1)
		return bad(err, "more than one X-Target-URL field");
	if (f->value.n > url_max)
		return error_set(err, ERR_URL_SIZE, "X-Target-URL has %zu bytes, the limit is %zu",
				 f->value.n, url_max);
	if (!parse_is_target(f->value))
		return bad(err, "X-Target-URL has a space, a control character or a #fragment in it");
	return read_url(h, f->value, false, t, err) || error_wrap(err, "X-Target-URL");
}

bool target_of(const struct head *h, size_t url_max, struct target *t, struct error *err)
{
	const struct field *f = head_find(h, "X-Target-URL");

	*t = (struct target){.path = {"", 0}};
	if (head_method_is(h, "CONNECT"))
		return read_connect(h, t, err);
	if (!read_request_line(h, t, err))
		return false;
	if (!f)
		return true;
	struct target named = {.path = {"", 0}};
	bool ok = read_field(h, f, url_max, &named, err);
	if (ok && t->kind == TARGET_URL && !same(t, &named))
		ok = bad(err,
			 "the request line and X-Target-URL name different targets: give only one of them");
	target_free(t);
	*t = named;
	return ok;
}

void target_free(struct target *t)
{
	free(t->joined);
	t->joined = NULL;
}

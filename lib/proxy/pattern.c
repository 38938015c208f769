#include "proxy/pattern.h"

static bool parse_host(struct span host, struct pattern *p, struct error *err)
{
	enum hostname_type type;

	p->host = PATTERN_EXACT;
	if (span_is(host, SPAN("*"))) {
		p->host = PATTERN_ANY;
		return true;
	}
	if (span_starts(host, SPAN("**."))) {
		p->host = PATTERN_LABELS;
		host = span_from(host, 3);
	} else if (span_starts(host, SPAN("*."))) {
		p->host = PATTERN_ONE_LABEL;
		host = span_from(host, 2);
	}
	if (host.n && memchr(host.p, '*', host.n))
		return error_set(err, ERR_CONFIG,
				 "a * stands for whole labels in front: *.NAME, **.NAME or * alone");
	if (!hostname_canonical(host, p->name, &type, err)) {
		if (err)
			err->kind = ERR_CONFIG;
		return false;
	}
	if (p->host != PATTERN_EXACT && type != HOSTNAME_DNS)
		return error_set(err, ERR_CONFIG, "an address has no labels that a * could stand for");
	return true;
}

bool pattern_parse(struct span text, struct pattern *p, struct error *err)
{
	const char *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;
	struct span host, port;

	memset(p, 0, sizeof *p);
	/* "[::1]" alone ends in a bracket: its last colon is the address's */
	if (!colon || text.p[text.n - 1] == ']')
		return error_set(err, ERR_CONFIG, "no port: want HOST:PORT or HOST:*");
	host = (struct span){text.p, (size_t)(colon - text.p)};
	port = span_from(text, host.n + 1);
	if (!span_is(port, SPAN("*")) && !hostname_port(port, &p->port))
		return error_set(err, ERR_CONFIG, "the port must be 1 to 65535 or *");
	return parse_host(host, p, err);
}

/* Does host end in "." name, and what stands in front of that? */
static bool in_front(const struct pattern *p, struct span host, struct span *front)
{
	size_t n = strlen(p->name);

	if (host.n <= n + 1 || host.p[host.n - n - 1] != '.' || memcmp(host.p + host.n - n, p->name, n) != 0)
		return false;
	*front = (struct span){host.p, host.n - n - 1};
	return true;
}

bool pattern_match(const struct pattern *p, const char *host, uint16_t port)
{
	struct span front;

	if (p->port && p->port != port)
		return false;
	switch (p->host) {
	case PATTERN_ANY:
		return true;
	case PATTERN_EXACT:
		return strcmp(p->name, host) == 0;
	case PATTERN_ONE_LABEL:
		return in_front(p, span_of(host), &front) && !memchr(front.p, '.', front.n);
	case PATTERN_LABELS:
		return in_front(p, span_of(host), &front);
	}
	return false;
}

void pattern_format(const struct pattern *p, struct buf *out)
{
	static const char *const front[] = {"", "*.", "**.", "*"};
	bool brackets = strchr(p->name, ':') != NULL;

	buf_printf(out, "%s%s%s%s:", front[p->host], brackets ? "[" : "", p->name, brackets ? "]" : "");
	if (p->port)
		buf_printf(out, "%u", p->port);
	else
		buf_add_text(out, "*");
}

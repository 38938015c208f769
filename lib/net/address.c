#include "net/address.h"

#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"

#define VMADDR_CID_PARENT 3 /* what a Nitro enclave calls its instance (AWS: nitro-enclave-concepts) */

static bool parse_number(struct span s, uint64_t max, uint64_t *out)
{
	if (s.n == 0 || s.n > 10)
		return false;
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return v <= max;
}

static bool copy(char *to, size_t room, struct span s)
{
	if (s.n >= room || memchr(s.p, '\0', s.n))
		return false;
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return true;
}

/* Cuts ":PORT" off the end. */
static bool cut_port(struct span *s, uint64_t max, uint32_t *port, struct error *err)
{
	uint64_t n;
	const char *colon = memrchr(s->p, ':', s->n);
	if (!colon)
		return error_set(err, ERR_CONFIG, "the port is missing");
	size_t at = (size_t)(colon - s->p);
	if (!parse_number(span_from(*s, at + 1), max, &n))
		return error_set(err, ERR_CONFIG, "the port must be a number from 0 to %llu",
				 (unsigned long long)max);
	*port = (uint32_t)n;
	s->n = at;
	return true;
}

static bool parse_tcp(struct span s, struct address *a, struct error *err)
{
	uint64_t bare;
	if (parse_number(s, UINT16_MAX, &bare)) {
		a->port = (uint32_t)bare;
		return copy(a->host, sizeof a->host, SPAN("127.0.0.1"));
	}
	if (!cut_port(&s, UINT16_MAX, &a->port, err))
		return false;
	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = (struct span){s.p + 1, s.n - 2};
	else if (s.n && memchr(s.p, ':', s.n))
		return error_set(err, ERR_CONFIG, "write an IPv6 address in brackets: tcp:[::1]:8080");
	if (span_is(s, SPAN("*")))
		s.n = 0;
	if (!copy(a->host, sizeof a->host, s))
		return error_set(err, ERR_CONFIG, "the host name is longer than %d bytes", ADDRESS_HOST - 1);
	return true;
}

static bool parse_path(struct span s, size_t reserve, struct address *a, struct error *err)
{
	if (s.n == 0)
		return error_set(err, ERR_CONFIG, "the path is missing");
	if (s.n + reserve >= sizeof a->path)
		return error_set(err, ERR_CONFIG, "a unix socket's path has at most %zu bytes here",
				 sizeof a->path - 1 - reserve);
	return copy(a->path, sizeof a->path, s) || error_set(err, ERR_CONFIG, "the path has a NUL byte");
}

static bool parse_vsock(struct span s, struct address *a, struct error *err)
{
	uint64_t cid;
	if (!cut_port(&s, UINT32_MAX - 1, &a->port, err))
		return false;
	if (span_is(s, SPAN("any")))
		a->cid = VMADDR_CID_ANY;
	else if (span_is(s, SPAN("parent")))
		a->cid = VMADDR_CID_PARENT;
	else if (parse_number(s, UINT32_MAX - 1, &cid))
		a->cid = (uint32_t)cid;
	else
		return error_set(err, ERR_CONFIG, "the CID must be a number, 'parent' or 'any'");
	return true;
}

static bool parse_kind(struct span s, struct address *a, struct error *err)
{
	static const struct {
		const char *scheme;
		enum address_kind kind;
	} kinds[] = {{"tcp:", ADDRESS_TCP},
		     {"unix:", ADDRESS_UNIX},
		     {"vsock:", ADDRESS_VSOCK},
		     {"hybrid:", ADDRESS_HYBRID}};
	a->kind = ADDRESS_TCP;
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct span scheme = span_of(kinds[i].scheme);
		if (span_starts(s, scheme)) {
			a->kind = kinds[i].kind;
			s = span_from(s, scheme.n);
			break;
		}
	}
	switch (a->kind) {
	case ADDRESS_TCP:
		return parse_tcp(s, a, err);
	case ADDRESS_UNIX:
		return parse_path(s, 0, a, err);
	case ADDRESS_VSOCK:
		return parse_vsock(s, a, err);
	case ADDRESS_HYBRID: /* room for the "_PORT" of a listener */
		return cut_port(&s, UINT32_MAX - 1, &a->port, err) && parse_path(s, 11, a, err);
	}
	return false;
}

bool address_parse(const char *text, struct address *a, struct error *err)
{
	struct span s = span_of(text);
	*a = (struct address){0};
	if (!copy(a->text, sizeof a->text, s))
		return error_set(err, ERR_CONFIG, "an address has at most %d bytes", ADDRESS_TEXT - 1);
	if (parse_kind(s, a, err))
		return true;
	return error_wrap(err, "address '%.80s'", text);
}

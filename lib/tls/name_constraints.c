#include "tls/name_constraints.h"

#include "tls/der.h"
#include "tls/directory_name.h"
#include "tls/server_name.h"

#define REFUSE(...) error_set(err, ERR_TLS_CERTIFICATE, __VA_ARGS__)

/* May any / must every name that `name` stands for lie in the subtree? */
enum quantifier { ANY, ALL };

/* "example.com" holds itself and everything below it; "" holds all. */
static bool dns_within(struct span dns, struct span base)
{
	if (!base.n)
		return true;
	if (dns.n < base.n || (dns.n > base.n && dns.p[dns.n - base.n - 1] != '.'))
		return false;
	return span_is_nocase(span_from(dns, dns.n - base.n), base);
}

static bool dns_in_subtree(struct span dns, struct span base, enum quantifier q)
{
	if (!span_starts(dns, SPAN("*.")))
		return dns_within(dns, base);
	struct span parent = span_from(dns, 2);
	if (dns_within(parent, base))
		return true;
	/* *.example.com and foo.example.com overlap in one name */
	struct span label, rest = base;
	return q == ANY && span_cut(&rest, '.', &label) && rest.p && span_is_nocase(rest, parent);
}

/* base: address and mask, 4 + 4 or 16 + 16 bytes */
static bool ip_in_subtree(struct span ip, struct span base)
{
	if (base.n != 2 * ip.n)
		return false;
	for (size_t i = 0; i < ip.n; i++)
		if ((ip.p[i] ^ base.p[i]) & base.p[ip.n + i])
			return false;
	return true;
}

/* A mask is ones, then zeros. */
static bool well_formed_network(struct span base)
{
	if (base.n != 8 && base.n != 32)
		return false;
	bool ended = false;
	for (size_t i = base.n / 2; i < base.n; i++) {
		uint8_t byte = (uint8_t)base.p[i], rest = (uint8_t)~byte;
		if ((ended && byte) || (rest & (rest + 1)))
			return false;
		ended = ended || byte != 0xff;
	}
	return true;
}

static bool well_formed_base(unsigned kind, struct span base)
{
	switch (kind) {
	case NAME_DNS:
		return !base.n || (base.p[0] != '*' && server_name_is_pattern(base));
	case NAME_IP:
		return well_formed_network(base);
	case NAME_DIRECTORY:
		return directory_name_well_formed(base);
	default:
		return true;
	}
}

/* GeneralSubtree ::= SEQUENCE { base GeneralName, minimum [0] DEFAULT 0, maximum [1] }: only the base may be
 * given */
static bool subtree_next(struct span *list, unsigned *kind, struct span *base)
{
	struct span one;
	return der_take(list, DER_SEQUENCE, &one) && general_name_next(&one, kind, base) && !one.n &&
	       well_formed_base(*kind, *base);
}

static bool in_subtree(unsigned kind, struct span name, struct span base, enum quantifier q)
{
	switch (kind) {
	case NAME_DNS:
		return dns_in_subtree(name, base, q);
	case NAME_IP:
		return ip_in_subtree(name, base);
	case NAME_DIRECTORY:
		return directory_name_within(name, base);
	default:
		return false;
	}
}

static bool comparable(unsigned kind)
{
	return kind == NAME_DNS || kind == NAME_IP || kind == NAME_DIRECTORY;
}

struct check {
	const struct cert_view *ca;
	unsigned *budget;
	struct error *err;
};

/* How a list takes a name: does it speak of its kind at all, and does the name lie in it? */
static bool look_up(const struct check *c, struct span list, unsigned kind, struct span name,
		    enum quantifier q, bool *spoken_of, bool *inside)
{
	*spoken_of = *inside = false;
	while (list.n) {
		unsigned base_kind;
		struct span base;
		if (!subtree_next(&list, &base_kind, &base))
			return error_set(c->err, ERR_TLS_CERTIFICATE, "nameConstraints are malformed");
		if (*c->budget == 0)
			return error_set(c->err, ERR_TLS_CERTIFICATE, "too many names and name constraints");
		--*c->budget;
		if (base_kind != kind)
			continue;
		*spoken_of = true;
		*inside |= in_subtree(kind, name, base, q);
	}
	return true;
}

static bool check_name(const struct check *c, unsigned kind, struct span name)
{
	struct error *err = c->err;
	bool spoken_of, inside;
	if (!look_up(c, c->ca->excluded, kind, name, ANY, &spoken_of, &inside))
		return false;
	if (inside || (spoken_of && !comparable(kind)))
		return REFUSE("a name is excluded by a CA's name constraints");
	if (!look_up(c, c->ca->permitted, kind, name, ALL, &spoken_of, &inside))
		return false;
	if (spoken_of && !inside)
		return REFUSE("a name is not permitted by a CA's name constraints");
	return true;
}

/* Malformed constraints refuse, also where no name is of their kind. */
static bool check_form(const struct check *c)
{
	bool spoken_of, inside;
	struct span none = {"", 0};
	return look_up(c, c->ca->excluded, NAME_KINDS, none, ANY, &spoken_of, &inside) &&
	       look_up(c, c->ca->permitted, NAME_KINDS, none, ALL, &spoken_of, &inside);
}

bool name_constraints_allow(const struct cert_view *ca, const struct cert_view *below, unsigned *budget,
			    struct error *err)
{
	if (!ca->permitted.p && !ca->excluded.p)
		return true;
	const struct check c = {ca, budget, err};
	if (!check_form(&c))
		return false;
	struct span subject = cert_subject(below->crt), rdns, names = below->names, name;
	if (!der_take(&subject, DER_SEQUENCE, &rdns))
		return REFUSE("its subject is malformed");
	if (rdns.n && !check_name(&c, NAME_DIRECTORY, cert_subject(below->crt)))
		return false;
	while (names.n) {
		unsigned kind;
		if (!general_name_next(&names, &kind, &name))
			return REFUSE("subjectAltName is malformed");
		if (!check_name(&c, kind, name))
			return false;
	}
	return true;
}

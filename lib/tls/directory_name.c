#include "tls/directory_name.h"

#include "tls/der.h"

#define DER_SET 0x31

/* Text of which case and blanks do not count: UTF8String, PrintableString, T61String, IA5String. */
static bool is_text(unsigned tag)
{
	return tag == 0x0c || tag == 0x13 || tag == 0x14 || tag == 0x16;
}

static bool take_attribute(struct span *rdn, struct span *type, unsigned *tag, struct span *value)
{
	struct span pair;
	return der_take(rdn, DER_SEQUENCE, &pair) && der_take(&pair, DER_OID, type) &&
	       der_next(&pair, tag, value) && !pair.n;
}

bool directory_name_well_formed(struct span name)
{
	struct span rdns, rdn, type, value;
	unsigned tag;
	if (!der_take(&name, DER_SEQUENCE, &rdns) || name.n)
		return false;
	while (rdns.n) {
		if (!der_take(&rdns, DER_SET, &rdn) || !rdn.n)
			return false;
		while (rdn.n)
			if (!take_attribute(&rdn, &type, &tag, &value))
				return false;
	}
	return true;
}

static struct span trim(struct span s)
{
	while (s.n && s.p[0] == ' ')
		s = span_from(s, 1);
	while (s.n && s.p[s.n - 1] == ' ')
		s.n--;
	return s;
}

/* A run of blanks is one blank. */
static size_t run(struct span s)
{
	size_t n = 1;
	while (s.p[0] == ' ' && n < s.n && s.p[n] == ' ')
		n++;
	return n;
}

static bool same_text(struct span a, struct span b)
{
	a = trim(a);
	b = trim(b);
	while (a.n && b.n) {
		if (strncasecmp(a.p, b.p, 1) != 0)
			return false;
		a = span_from(a, run(a));
		b = span_from(b, run(b));
	}
	return a.n == b.n;
}

static bool same_attribute(struct span *a, struct span *b)
{
	struct span type_a, type_b, value_a, value_b;
	unsigned tag_a, tag_b;
	if (!take_attribute(a, &type_a, &tag_a, &value_a) || !take_attribute(b, &type_b, &tag_b, &value_b))
		return false;
	if (!span_is(type_a, type_b))
		return false;
	if (is_text(tag_a) && is_text(tag_b))
		return same_text(value_a, value_b);
	return tag_a == tag_b && span_is(value_a, value_b);
}

bool directory_name_within(struct span name, struct span base)
{
	struct span have, want, a, b;
	if (!der_take(&name, DER_SEQUENCE, &have) || !der_take(&base, DER_SEQUENCE, &want))
		return false;
	while (want.n) {
		if (!der_take(&have, DER_SET, &a) || !der_take(&want, DER_SET, &b))
			return false;
		while (a.n && b.n)
			if (!same_attribute(&a, &b))
				return false;
		if (a.n || b.n)
			return false;
	}
	return true;
}

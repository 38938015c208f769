/*
 * A policy file and a request, with a zero byte between each two:
 *
 *	POLICY 0 METHOD 0 HOST 0 PATH
 *
 * A policy that is accepted has a canonical text that reads back as itself and judges alike;
 * and a path whose letters and digits are escaped gets the verdict of the plain one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "proxy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Escapes what is no escape yet. out has room for 3 * path.n. */
static struct span respell(struct span path, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < path.n && path.p[i] != '?'; i++) {
		unsigned char c = (unsigned char)path.p[i], lower = c | 0x20;

		if (c == '%') {
			for (size_t end = i + 3; i < end && i < path.n && path.p[i] != '?'; i++)
				out[n++] = path.p[i];
			i--;
		} else if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9')) {
			out[n++] = '%';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		} else {
			out[n++] = (char)c;
		}
	}
	return (struct span){out, n};
}

static void check_same(const struct policy *p, const struct policy *again, struct policy_request r)
{
	char *room = malloc(3 * r.path.n + 1);
	struct policy_verdict a, b;

	CHECK(room);
	policy_judge(p, &r, &a);
	policy_judge(again, &r, &b);
	CHECK(a.pass == b.pass && a.denied == b.denied && !a.rule == !b.rule);
	CHECK(!a.rule || strcmp(a.rule->text, b.rule->text) == 0);
	CHECK(a.pass || a.why.kind == ERR_DENIED);

	r.path = respell(r.path, room);
	policy_judge(p, &r, &b);
	CHECK(a.pass == b.pass && a.rule == b.rule);
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = {(const char *)data, size}, text, method = {0}, host = {0};
	struct policy p, again;
	struct error err = {0};
	enum hostname_type type;
	char name[HOSTNAME_MAX];

	if (!span_cut(&rest, 0, &text))
		return 0;
	span_cut(&rest, 0, &method);
	span_cut(&rest, 0, &host);
	if (!policy_load_text(&p, "fuzz", text, &err)) {
		CHECK(err.kind == ERR_CONFIG && err.text[0]);
		policy_free(&p);
		return 0;
	}

	struct buf canonical, twice;
	buf_init(&canonical, 1 << 20);
	buf_init(&twice, 1 << 20);
	policy_format(&p, &canonical);
	CHECK(policy_load_text(&again, "again", buf_span(&canonical), NULL));
	policy_format(&again, &twice);
	CHECK(span_is(buf_span(&canonical), buf_span(&twice)));
	CHECK(hash_equal(p.digest, again.digest));
	policy_connect_gap(&p);
	if (hostname_canonical(host, name, &type, NULL))
		check_same(&p, &again, (struct policy_request){name, 443, method, rest});
	buf_free(&canonical);
	buf_free(&twice);
	policy_free(&p);
	policy_free(&again);
	return 0;
}

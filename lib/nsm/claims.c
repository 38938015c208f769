#include "nsm/claims.h"

#include "base/check.h"

static const char first_line[] = "nitroproxy-claims: 2";

const char *claim_name(enum claim c)
{
	static const char *const names[CLAIM_COUNT] = {"binary", "policy",	"trust-store",
						       "config", "ingress-key", "receipt-key"};
	return names[c];
}

void claims_set(struct claims *c, enum claim which, struct span bytes)
{
	c->has[which] = bytes.p != NULL;
	if (bytes.p)
		digest_sha256(bytes, c->sha256[which]);
}

static bool is_version(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char ch = s.p[i];
		bool alnum = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z');
		if (!alnum && ch != '.' && ch != '_' && ch != '+' && ch != '-' && ch != '~')
			return false;
	}
	return s.n >= 1 && s.n <= CLAIMS_VERSION_MAX;
}

bool claims_write(const struct claims *c, struct buf *out, struct error *err)
{
	if (!is_version(span_of(c->version)))
		return error_set(err, ERR_INTERNAL,
				 "the version cannot be claimed: not 1 to %d of A-Za-z0-9._+-~",
				 CLAIMS_VERSION_MAX);
	buf_printf(out, "%s\nversion: %s\n", first_line, c->version);
	for (enum claim i = 0; i < CLAIM_COUNT; i++) {
		char hex[2 * SHA256_SIZE + 1] = "-";
		if (c->has[i])
			digest_to_hex(c->sha256[i], SHA256_SIZE, hex);
		buf_printf(out, "%s-sha256: %s\n", claim_name(i), hex);
	}
	return !buf_full(out) || error_set(err, ERR_LIMIT, "no room for the claims");
}

/*
 * The one form is what claims_write makes: the values are taken out of their places, then the text is
 * written again and must be the same, byte for byte. Nothing that is hashed goes unread.
 */
bool claims_parse(struct span text, struct claims *c, struct error *err)
{
	*c = (struct claims){.version = ""};
	struct span rest = text, line, name;
	for (int i = -2; span_cut(&rest, '\n', &line); i++) {
		span_cut(&line, ' ', &name);
		if (i == -1 && line.p && line.n <= CLAIMS_VERSION_MAX)
			memcpy(c->version, line.p, line.n);
		if (i >= 0 && i < CLAIM_COUNT && line.p)
			c->has[i] = digest_from_hex(line, c->sha256[i], SHA256_SIZE);
	}
	struct buf again;
	buf_init(&again, CLAIMS_MAX);
	bool same = claims_write(c, &again, NULL) && span_is(buf_span(&again), text);
	buf_free(&again);
	return same || error_set(err, ERR_BAD_REQUEST, "these are not claims of version 2 in their one form");
}

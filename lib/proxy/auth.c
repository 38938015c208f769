#include "proxy/auth.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "proxy/base64.h"

#define SCHEME	    "pbkdf2-sha256"
#define MIN_SALT    8
#define WRONG_SLOTS 256

struct secret {
	char user[AUTH_MAX_USER + 1];
	unsigned iterations;
	uint8_t salt[AUTH_MAX_SALT], hash[HASH_SIZE];
	size_t salt_len;
	bool seen;		/* tag is set: */
	uint8_t tag[HASH_SIZE]; /* keyed digest of the credential that was right */
};

/*
 * Right credentials are remembered with their secret, where nothing can push them out; wrong ones
 * in a small table, so that a client that repeats its mistake is cheap.
 */
struct auth {
	struct secret *secrets; /* owned */
	size_t count;
	uint8_t key[HASH_SIZE]; /* of the tags; of this process alone */
	uint8_t wrong[WRONG_SLOTS][HASH_SIZE];
};

/* ---- configuration ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Whole bytes in small letters, min to max of them. */
static bool parse_hex(struct span hex, uint8_t *out, size_t min, size_t max, size_t *len)
{
	*len = hex.n / 2;
	if (hex.n % 2 || *len < min || *len > max)
		return false;
	for (size_t i = 0; i < *len; i++) {
		int high = hex_digit(hex.p[2 * i]), low = hex_digit(hex.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool parse_iterations(struct span text, unsigned *out)
{
	*out = 0;
	if (text.n == 0 || text.n > 8)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		*out = *out * 10 + (unsigned)(text.p[i] - '0');
	}
	return *out >= AUTH_MIN_ITERATIONS && *out <= AUTH_MAX_ITERATIONS;
}

static bool parse_secret(struct secret *s, struct span text, struct error *err)
{
	struct span rest = text, user, scheme, iterations, salt, hash;
	size_t n;

	memset(s, 0, sizeof *s);
	if (!span_cut(&rest, ':', &user) || !span_cut(&rest, ':', &scheme) ||
	    !span_cut(&rest, ':', &iterations) || !span_cut(&rest, ':', &salt) ||
	    !span_cut(&rest, ':', &hash) || rest.p)
		return error_set(err, ERR_CONFIG, "want USER:" SCHEME ":ITERATIONS:SALT:HASH");
	if (user.n == 0 || user.n > AUTH_MAX_USER)
		return error_set(err, ERR_CONFIG, "the user's name must have 1 to %d bytes", AUTH_MAX_USER);
	if (!span_is(scheme, SPAN(SCHEME)))
		return error_set(err, ERR_CONFIG, "the only scheme is " SCHEME);
	if (!parse_iterations(iterations, &s->iterations))
		return error_set(err, ERR_CONFIG, "iterations must be %d to %d", AUTH_MIN_ITERATIONS,
				 AUTH_MAX_ITERATIONS);
	if (!parse_hex(salt, s->salt, MIN_SALT, AUTH_MAX_SALT, &s->salt_len))
		return error_set(err, ERR_CONFIG, "the salt must be %d to %d bytes in hex", MIN_SALT,
				 AUTH_MAX_SALT);
	if (!parse_hex(hash, s->hash, HASH_SIZE, HASH_SIZE, &n))
		return error_set(err, ERR_CONFIG, "the hash must be %d bytes in hex", HASH_SIZE);
	memcpy(s->user, user.p, user.n);
	return true;
}

/* The secret of that user, NULL when there is none. */
static struct secret *find_user(const struct auth *a, struct span user)
{
	struct secret *found = NULL;

	for (size_t i = 0; i < a->count; i++) /* to the end, whoever it is */
		if (span_is(span_of(a->secrets[i].user), user))
			found = &a->secrets[i];
	return found;
}

struct auth *auth_new(const struct text_list *secrets, struct error *err)
{
	struct auth *a = mem_zero(sizeof *a);

	CHECK(secrets->count > 0);
	a->secrets = mem_zero(secrets->count * sizeof *a->secrets);
	hash_random_key(a->key);
	for (size_t i = 0; i < secrets->count; i++) {
		struct secret *s = &a->secrets[i];
		bool ok = parse_secret(s, span_of(secrets->items[i]), err);

		if (ok && find_user(a, span_of(s->user)))
			ok = error_set(err, ERR_CONFIG, "the user has a secret already");
		if (!ok) {
			error_wrap(err, "secret %zu", i + 1);
			auth_free(a);
			return NULL;
		}
		a->count++;
	}
	return a;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	mem_wipe(a->secrets, a->count * sizeof *a->secrets);
	free(a->secrets);
	mem_wipe(a, sizeof *a);
	free(a);
}

/* ---- one credential ---- */

/* "Basic" and what follows it, in any case (RFC 9110 section 11.1). */
static bool basic(struct span field, struct span *token)
{
	struct span rest = span_trim(field), scheme;

	if (!span_cut(&rest, ' ', &scheme) || !rest.p || !span_is_nocase(scheme, SPAN("Basic")))
		return false;
	*token = span_trim(rest);
	return true;
}

static bool has_control_byte(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static enum auth_answer no(struct auth_try *t, struct error *err, const char *why)
{
	mem_wipe(t, sizeof *t);
	error_set(err, ERR_AUTH, "%s", why);
	return AUTH_NO;
}

static uint8_t *wrong_slot(struct auth *a, const uint8_t tag[HASH_SIZE])
{
	return a->wrong[tag[0]];
}

enum auth_answer auth_begin(struct auth *a, struct span field, struct auth_try *t, struct error *err)
{
	struct span token, rest, user;
	struct secret *s;
	size_t n;

	memset(t, 0, sizeof *t);
	if (!field.p)
		return no(t, err, "the proxy wants credentials");
	if (!basic(field, &token) || !base64_decode(token, t->password, sizeof t->password, &n))
		return no(t, err, "the proxy takes Basic credentials only, and these are malformed");
	rest = (struct span){t->password, n};
	if (has_control_byte(rest) || !span_cut(&rest, ':', &user) || !rest.p)
		return no(t, err, "the proxy takes Basic credentials only, and these are malformed");

	hash_hmac(a->key, &(struct span){t->password, n}, 1, t->tag);
	s = find_user(a, user);
	if (s && s->seen && hash_equal(s->tag, t->tag)) {
		mem_wipe(t, sizeof *t);
		return AUTH_YES;
	}
	if (hash_equal(wrong_slot(a, t->tag), t->tag))
		return no(t, err, "wrong proxy credentials");

	t->known = s != NULL;
	s = s ? s : a->secrets; /* a decoy */
	t->user = (size_t)(s - a->secrets);
	t->iterations = s->iterations;
	t->salt_len = s->salt_len;
	memcpy(t->salt, s->salt, s->salt_len);
	t->password_len = rest.n;
	memmove(t->password, rest.p, rest.n);
	return AUTH_WORK;
}

void auth_work(struct auth_try *t)
{
	hash_pbkdf2((struct span){t->password, t->password_len},
		    (struct span){(const char *)t->salt, t->salt_len}, t->iterations, t->hash);
}

bool auth_end(struct auth *a, struct auth_try *t, struct error *err)
{
	struct secret *s = &a->secrets[t->user];
	bool right = hash_equal(t->hash, s->hash) && t->known;

	if (right) {
		memcpy(s->tag, t->tag, HASH_SIZE);
		s->seen = true;
	} else {
		memcpy(wrong_slot(a, t->tag), t->tag, HASH_SIZE);
		error_set(err, ERR_AUTH, "wrong proxy credentials");
	}
	mem_wipe(t, sizeof *t);
	return right;
}

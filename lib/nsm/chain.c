#include "nsm/chain.h"

#include <mbedtls/oid.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <time.h>

#include "base/check.h"

/* Who is spoken of in a refusal: "certificate 2 of 5", counted from the root. */
#define WHICH_FMT     "certificate %zu of %zu"
#define WHICH(c, i)   ((i) + 1), ((c)->count + 1)
#define SPKI_HEAD_LEN (sizeof spki_head - 1)

/* What a SubjectPublicKeyInfo of an uncompressed P-384 point begins with (RFC 5480); 97 bytes follow. */
static const char spki_head[] =
	"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";

static struct span span_of_der(const mbedtls_x509_buf *b)
{
	return (struct span){(const char *)b->p, b->len};
}

static int64_t seconds(const mbedtls_x509_time *t)
{
	struct tm tm = {.tm_year = t->year - 1900,
			.tm_mon = t->mon - 1,
			.tm_mday = t->day,
			.tm_hour = t->hour,
			.tm_min = t->min,
			.tm_sec = t->sec};
	return timegm(&tm);
}

/* The library refuses critical extensions it does not know, and an inner algorithm unlike the outer. */
static bool parse(const struct chain *c, size_t i, mbedtls_x509_crt *crt, struct refusal *why)
{
	struct span der = i < c->count ? c->bundle[i] : c->leaf;
	if (mbedtls_x509_crt_parse_der_nocopy(crt, (const uint8_t *)der.p, der.n) != 0)
		return refuse(why, REFUSE_CERTIFICATE, WHICH_FMT " is not an X.509 certificate we can read",
			      WHICH(c, i));
	if (crt->raw.len != der.n)
		return refuse(why, REFUSE_CERTIFICATE, WHICH_FMT " has bytes behind its end", WHICH(c, i));
	if (crt->version != 3)
		return refuse(why, REFUSE_CERTIFICATE, WHICH_FMT " has version %d, not 3", WHICH(c, i),
			      crt->version);
	return true;
}

static bool check_algorithm(const struct chain *c, size_t i, const mbedtls_x509_crt *crt, struct refusal *why)
{
	struct span spki = span_of_der(&crt->pk_raw);
	if (spki.n != SPKI_HEAD_LEN + ES384_POINT_SIZE || !span_starts(spki, SPAN(spki_head)))
		return refuse(why, REFUSE_ALGORITHM, "the key of " WHICH_FMT " is not on P-384", WHICH(c, i));
	if (!span_is(span_of_der(&crt->sig_oid), SPAN(MBEDTLS_OID_ECDSA_SHA384)))
		return refuse(why, REFUSE_ALGORITHM, WHICH_FMT " is not signed by ECDSA with SHA-384",
			      WHICH(c, i));
	return true;
}

static bool check_time(const struct chain *c, size_t i, const mbedtls_x509_crt *crt, int64_t at,
		       struct refusal *why)
{
	int64_t from = seconds(&crt->valid_from), to = seconds(&crt->valid_to);
	if (at < from - CHAIN_SKEW_SECONDS)
		return refuse(why, REFUSE_NOT_YET_VALID, WHICH_FMT " becomes valid %lld seconds later",
			      WHICH(c, i), (long long)(from - at));
	if (at > to)
		return refuse(why, REFUSE_EXPIRED, WHICH_FMT " expired %lld seconds earlier", WHICH(c, i),
			      (long long)(at - to));
	return true;
}

static bool check_constraints(const struct chain *c, size_t i, const mbedtls_x509_crt *crt,
			      struct refusal *why)
{
	bool is_leaf = i == c->count;
	unsigned needed = is_leaf ? MBEDTLS_X509_KU_DIGITAL_SIGNATURE : MBEDTLS_X509_KU_KEY_CERT_SIGN;
	/* The library's answer is an error, neither 0 nor 1, when there are no basicConstraints. */
	if (mbedtls_x509_crt_get_ca_istrue(crt) != !is_leaf)
		return refuse(why, REFUSE_CONSTRAINTS, WHICH_FMT " %s by its basicConstraints", WHICH(c, i),
			      is_leaf ? "is a CA or may be one" : "is no CA");
	if (!mbedtls_x509_crt_has_ext_type(crt, MBEDTLS_X509_EXT_KEY_USAGE) ||
	    mbedtls_x509_crt_check_key_usage(crt, needed) != 0)
		return refuse(why, REFUSE_CONSTRAINTS, WHICH_FMT " may not sign %s by its keyUsage",
			      WHICH(c, i), is_leaf ? "documents" : "certificates");
	if (is_leaf)
		return true;
	/* The library stores pathlen + 1, and 0 for none. Below this CA stand the others, then the leaf. */
	size_t below = c->count - 1 - i;
	int limit = crt->MBEDTLS_PRIVATE(max_pathlen);
	if (limit > 0 && below > (size_t)limit - 1)
		return refuse(why, REFUSE_CONSTRAINTS, WHICH_FMT " allows %d CAs below it and has %zu",
			      WHICH(c, i), limit - 1, below);
	return true;
}

static void point_of(const mbedtls_x509_crt *crt, uint8_t point[ES384_POINT_SIZE])
{
	memcpy(point, crt->pk_raw.p + SPKI_HEAD_LEN, ES384_POINT_SIZE);
}

static bool check_issued(const struct chain *c, size_t i, const mbedtls_x509_crt *crt,
			 const mbedtls_x509_crt *issuer, struct refusal *why)
{
	if (!span_is(span_of_der(&crt->issuer_raw), span_of_der(&issuer->subject_raw)))
		return refuse(why, REFUSE_ISSUER, WHICH_FMT " does not name the one before it as its issuer",
			      WHICH(c, i));
	const mbedtls_x509_buf *sig = &crt->MBEDTLS_PRIVATE(sig);
	uint8_t point[ES384_POINT_SIZE], raw[ES384_SIGNATURE_SIZE];
	size_t got;
	point_of(issuer, point);
	if (mbedtls_ecdsa_der_to_raw(384, sig->p, sig->len, raw, sizeof raw, &got) != 0 ||
	    got != sizeof raw || !es384_verify(point, span_of_der(&crt->tbs), raw))
		return refuse(why, REFUSE_CHAIN_SIGNATURE, WHICH_FMT " is not signed by the one before it",
			      WHICH(c, i));
	return true;
}

static bool check_one(const struct chain *c, size_t i, mbedtls_x509_crt *crt, const mbedtls_x509_crt *issuer,
		      int64_t at, struct refusal *why)
{
	return parse(c, i, crt, why) && check_algorithm(c, i, crt, why) && check_time(c, i, crt, at, why) &&
	       check_constraints(c, i, crt, why) && (!issuer || check_issued(c, i, crt, issuer, why));
}

bool chain_verify(const struct chain *c, const uint8_t root[SHA256_SIZE], int64_t at,
		  uint8_t leaf_point[ES384_POINT_SIZE], struct refusal *why)
{
	CHECK(c->count > 0);
	uint8_t found[SHA256_SIZE];
	digest_sha256(c->bundle[0], found);
	if (memcmp(found, root, SHA256_SIZE) != 0)
		return refuse(why, REFUSE_ROOT,
			      "its chain does not begin with the root certificate we trust");

	mbedtls_x509_crt pair[2]; /* the one looked at and its issuer, in turns */
	mbedtls_x509_crt_init(&pair[0]);
	mbedtls_x509_crt_init(&pair[1]);
	bool good = true;
	for (size_t i = 0; good && i <= c->count; i++) {
		mbedtls_x509_crt *crt = &pair[i % 2];
		mbedtls_x509_crt_free(crt);
		good = check_one(c, i, crt, i ? &pair[(i + 1) % 2] : NULL, at, why);
	}
	if (good)
		point_of(&pair[c->count % 2], leaf_point);
	mbedtls_x509_crt_free(&pair[0]);
	mbedtls_x509_crt_free(&pair[1]);
	return good;
}

#include "verify_args.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"

const char verify_help[] =
	"usage: nitroproxy verify [OPTION]..\n"
	"Verifies an attestation document. Exit status: 0 good, 1 refused,\n"
	"2 wrong usage, or nothing there to verify.\n"
	"\n"
	"  --file DOC           the document, CBOR or base64; default: standard input\n"
	"  --url URL            ask http://HOST:PORT or https://HOST:PORT instead, with a\n"
	"                       nonce made for it; of https the TLS session must end at\n"
	"                       the key that the document vouches for\n"
	"  --forward ADDR       after that, take plain connections at ADDR and carry\n"
	"                       each over TLS that is verified so (127.0.0.1:9000)\n"
	"  --client-certificate FILE, --client-key FILE\n"
	"                       what to show an enclave that asks who comes, PEM\n"
	"  --nonce HEX          the nonce it must carry: proof that it is not an old one\n"
	"  --any-nonce          do without\n"
	"  --pcr0 HEX ..        what PCR 0 to 31 must be; 0, 1, 2: image, 8: its signer\n"
	"  --any-pcrs           do without: any enclave of anybody will do\n"
	"  --allow-debug        accept an enclave in debug mode, which hides nothing\n"
	"  --allow-unsigned     accept what QEMU's emulated enclave makes, which nobody\n"
	"                       has signed: for tests, for it proves nothing\n"
	"  --max-age TIME       how old it may be: 90, 90s, 5m, 3h; default: the 3\n"
	"                       hours of its certificate\n"
	"  --at TIME            verify as of then: seconds since 1970 or\n"
	"                       2022-11-09T22:52:01Z; default: now\n"
	"  --root FILE          trust this root certificate instead of AWS's, PEM or DER\n"
	"  --claims FILE        what the enclave says about itself: its SHA-256\n"
	"                       must be the document's user_data\n"
	"  --policy FILE        the claims' policy must be this one; likewise\n"
	"  --trust-store FILE, and --binary FILE or --config FILE byte for byte\n"
	"  --receipt FILE       verify this receipt, too: CBOR, base64 or a head with the\n"
	"                       field; it must be signed by the key that is claimed\n"
	"  --target URL         the receipt must be for this URL,\n"
	"  --request-body FILE  have gone up with this body,\n"
	"  --body FILE          and been answered with this one; - is standard input\n"
	"  --json               print JSON\n"
	"  --help\n";

enum {
	FLAG_FILE = 256,
	FLAG_URL,
	FLAG_FORWARD,
	FLAG_CLIENT_CERTIFICATE,
	FLAG_CLIENT_KEY,
	FLAG_NONCE,
	FLAG_ANY_NONCE,
	FLAG_ANY_PCRS,
	FLAG_DEBUG,
	FLAG_UNSIGNED,
	FLAG_MAX_AGE,
	FLAG_AT,
	FLAG_ROOT,
	FLAG_CLAIMS,
	FLAG_RECEIPT,
	FLAG_TARGET,
	FLAG_REQUEST_BODY,
	FLAG_BODY,
	FLAG_JSON,
	FLAG_HELP,
	FLAG_CLAIMED,
	FLAG_PCR = FLAG_CLAIMED + CLAIM_COUNT
};

static bool usage(struct error *err, const char *what)
{
	return error_set(err, ERR_CONFIG, "%s", what);
}

static bool parse_hex(const char *text, const char *name, uint8_t *out, size_t max, struct span *value,
		      struct error *err)
{
	size_t n = strlen(text) / 2;
	if (n < 1 || n > max || !digest_from_hex(span_of(text), out, n))
		return error_set(err, ERR_CONFIG, "--%s wants 1 to %zu bytes in hexadecimal", name, max);
	*value = (struct span){(const char *)out, n};
	return true;
}

static bool parse_pcr(struct verify_args *a, unsigned index, const char *text, struct error *err)
{
	char name[sizeof "pcr4294967295"];
	snprintf(name, sizeof name, "pcr%u", index);
	a->has_pcr = true;
	return parse_hex(text, name, a->pcrs[index], ATTESTATION_PCR_MAX, &a->wish.pcrs[index], err);
}

/* 90, 90s, 5m, 3h, 1d in seconds. */
static bool parse_age(const char *text, int64_t *seconds, struct error *err)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);
	for (size_t i = 0; i < countof(units); i++)
		if (text[0] >= '0' && text[0] <= '9' && n >= 1 && n <= 1000000 &&
		    strcmp(rest, units[i].unit) == 0) {
			*seconds = (int64_t)n * units[i].seconds;
			return true;
		}
	return usage(err, "--max-age wants a time such as 90s, 5m or 3h");
}

/* Seconds since 1970, or UTC as RFC 3339 writes it. */
static bool parse_time(const char *text, int64_t *seconds, struct error *err)
{
	struct tm tm = {.tm_year = 0};
	char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (rest && !*rest) {
		*seconds = timegm(&tm);
		return true;
	}
	errno = 0;
	long long n = strtoll(text, &rest, 10);
	if (text[0] < '0' || text[0] > '9' || *rest || errno || n > INT64_C(253402300799))
		return usage(err, "--at wants seconds since 1970, or a time such as 2022-11-09T22:52:01Z");
	*seconds = n;
	return true;
}

static bool parse_one(struct verify_args *a, int flag, const char *value, struct error *err)
{
	if (flag >= FLAG_PCR)
		return parse_pcr(a, (unsigned)(flag - FLAG_PCR), value, err);
	if (flag >= FLAG_CLAIMED) {
		a->claimed_files[flag - FLAG_CLAIMED] = value;
		return true;
	}
	switch (flag) {
	case FLAG_FILE:
		a->file = value;
		return true;
	case FLAG_URL:
		a->url = value;
		return true;
	case FLAG_FORWARD:
		a->forward = value;
		return true;
	case FLAG_CLIENT_CERTIFICATE:
		a->client_certificate = value;
		return true;
	case FLAG_CLIENT_KEY:
		a->client_key = value;
		return true;
	case FLAG_NONCE:
		return parse_hex(value, "nonce", a->nonce, sizeof a->nonce, &a->wish.nonce, err);
	case FLAG_ANY_NONCE:
		return a->any_nonce = true;
	case FLAG_ANY_PCRS:
		return a->any_pcrs = true;
	case FLAG_DEBUG:
		return a->wish.allow_debug = true;
	case FLAG_UNSIGNED:
		return a->wish.allow_unsigned = true;
	case FLAG_MAX_AGE:
		return parse_age(value, &a->wish.max_age, err);
	case FLAG_AT:
		a->has_at = true;
		return parse_time(value, &a->wish.at, err);
	case FLAG_ROOT:
		a->root_file = value;
		return true;
	case FLAG_CLAIMS:
		a->claims_file = value;
		return true;
	case FLAG_RECEIPT:
		a->receipt = value;
		return true;
	case FLAG_TARGET:
		a->target = value;
		return true;
	case FLAG_REQUEST_BODY:
		a->request_body = value;
		return true;
	case FLAG_BODY:
		a->body = value;
		return true;
	case FLAG_JSON:
		return a->json = true;
	case FLAG_HELP:
		return a->help = true;
	default:
		return usage(err, "an option is unknown or lacks its value");
	}
}

static bool is_stdin(const char *file)
{
	return file && strcmp(file, "-") == 0;
}

static bool check_receipt(const struct verify_args *a, struct error *err)
{
	if (!a->receipt)
		return (!a->target && !a->body && !a->request_body) ||
		       usage(err, "--target, --body and --request-body need --receipt");
	if (a->forward)
		return usage(err, "--forward carries connections, --receipt is about one exchange");
	if (!a->claims_file && !a->url)
		return usage(err,
			     "--receipt needs --claims or --url, which name the key that signs receipts");
	int readers = (!a->url && (!a->file || is_stdin(a->file))) + is_stdin(a->receipt) +
		      is_stdin(a->body) + is_stdin(a->request_body);
	return readers <= 1 || usage(err, "only one thing can be read from standard input");
}

/* What must not be forgotten silently. */
static bool check_request(const struct verify_args *a, struct error *err)
{
	if (a->help)
		return true;
	if (a->url && (a->file || a->claims_file || a->any_nonce))
		return usage(err, "--url brings document and claims, and a nonce: no --file, --claims, "
				  "--any-nonce");
	bool https = a->url && strncasecmp(a->url, "https://", 8) == 0;
	if (!a->client_certificate != !a->client_key)
		return usage(err, "--client-certificate and --client-key belong together");
	if (a->client_certificate && !https)
		return usage(err, "--client-certificate needs --url https://..");
	if (a->forward && !https)
		return usage(err, "--forward needs --url https://..");
	if (a->forward && (a->wish.nonce.p || a->json))
		return usage(err, "--forward asks anew for each key: no --nonce and no --json");
	if (a->forward && a->wish.allow_unsigned)
		return usage(err, "--forward and --allow-unsigned: a channel to anybody at all");
	if (a->url && a->wish.nonce.p && (a->wish.nonce.n < 16 || a->wish.nonce.n > 64))
		return usage(err, "--url takes nonces of 16 to 64 bytes");
	if (!a->url && !a->wish.nonce.p == !a->any_nonce)
		return usage(err, "give --nonce HEX, or --any-nonce to accept an old document");
	if (a->has_pcr == a->any_pcrs)
		return usage(err, "give --pcr0 HEX (or others), or --any-pcrs to accept any enclave");
	if (!check_receipt(a, err))
		return false;
	for (enum claim i = 0; i < CLAIM_COUNT; i++)
		if (a->claimed_files[i] && !a->claims_file && !a->url)
			return error_set(err, ERR_CONFIG, "--%s needs --claims or --url", claim_name(i));
	return true;
}

bool verify_parse_args(struct verify_args *a, int argc, char **argv, struct error *err)
{
	static const struct option fixed[] = {
		{"file", required_argument, NULL, FLAG_FILE},
		{"url", required_argument, NULL, FLAG_URL},
		{"forward", required_argument, NULL, FLAG_FORWARD},
		{"client-certificate", required_argument, NULL, FLAG_CLIENT_CERTIFICATE},
		{"client-key", required_argument, NULL, FLAG_CLIENT_KEY},
		{"nonce", required_argument, NULL, FLAG_NONCE},
		{"any-nonce", no_argument, NULL, FLAG_ANY_NONCE},
		{"any-pcrs", no_argument, NULL, FLAG_ANY_PCRS},
		{"allow-debug", no_argument, NULL, FLAG_DEBUG},
		{"allow-unsigned", no_argument, NULL, FLAG_UNSIGNED},
		{"max-age", required_argument, NULL, FLAG_MAX_AGE},
		{"at", required_argument, NULL, FLAG_AT},
		{"root", required_argument, NULL, FLAG_ROOT},
		{"claims", required_argument, NULL, FLAG_CLAIMS},
		{"receipt", required_argument, NULL, FLAG_RECEIPT},
		{"target", required_argument, NULL, FLAG_TARGET},
		{"request-body", required_argument, NULL, FLAG_REQUEST_BODY},
		{"body", required_argument, NULL, FLAG_BODY},
		{"json", no_argument, NULL, FLAG_JSON},
		{"help", no_argument, NULL, FLAG_HELP},
		{"binary", required_argument, NULL, FLAG_CLAIMED + CLAIM_BINARY},
		{"policy", required_argument, NULL, FLAG_CLAIMED + CLAIM_POLICY},
		{"trust-store", required_argument, NULL, FLAG_CLAIMED + CLAIM_TRUST_STORE},
		{"config", required_argument, NULL, FLAG_CLAIMED + CLAIM_CONFIG},
	};
	struct option all[countof(fixed) + ATTESTATION_PCRS + 1] = {{0}};
	char names[ATTESTATION_PCRS][sizeof "pcr4294967295"];
	memcpy(all, fixed, sizeof fixed);
	for (unsigned i = 0; i < ATTESTATION_PCRS; i++) {
		snprintf(names[i], sizeof names[i], "pcr%u", i);
		all[countof(fixed) + i] =
			(struct option){names[i], required_argument, NULL, FLAG_PCR + (int)i};
	}
	optind = 0; /* glibc: start anew, whatever the caller did with it */
	opterr = 0;
	for (int flag; (flag = getopt_long(argc, argv, "", all, NULL)) != -1;)
		if (!parse_one(a, flag, optarg, err))
			return false;
	return optind == argc ? check_request(a, err)
			      : usage(err, "there is an argument that belongs to no option");
}

#include "verify_print.h"

#include "verify_print_receipt.h"

static const char *row_name(int row)
{
	static const char *const names[] = {"channel", "files", "receipt", "exchange"};
	return row < ATTESTATION_STEP_COUNT ? attestation_step_name((enum attestation_step)row)
					    : names[row - ATTESTATION_STEP_COUNT];
}

/* They stop at the first that fails. */
static const char *row_result(const struct verify_result *r, int row)
{
	if (row > r->failed)
		return "not reached";
	if (!r->asked[row])
		return "not asked";
	if (r->is_unsigned && (row == ATTESTATION_STEP_CHAIN || row == ATTESTATION_STEP_SIGNATURE))
		return "NOT CHECKED";
	return row == r->failed ? "failed" : "ok";
}

/* What the row says, for people. */
static const char *row_meaning(int row)
{
	static const char *const meanings[VERIFY_STEPS] = {
		[ATTESTATION_STEP_SYNTAX] = "an attestation document in the form AWS gives",
		[ATTESTATION_STEP_CHAIN] =
			"certificates from the trusted root to the signer, valid at that time",
		[ATTESTATION_STEP_SIGNATURE] = "signed by the last of them",
		[ATTESTATION_STEP_PCRS] = "no debug mode, and the measurements asked for",
		[ATTESTATION_STEP_NONCE] = "made for this question",
		[ATTESTATION_STEP_TIME] = "not from the future, not too old",
		[ATTESTATION_STEP_CLAIMS] = "user_data is the SHA-256 of the claims shown",
		[VERIFY_STEP_CHANNEL] = "the key they claim is the one this TLS session ends at",
		[VERIFY_STEP_FILES] = "the claims are the digests of the files shown",
		[VERIFY_STEP_RECEIPT] = "a receipt, signed by the key they claim for that",
		[VERIFY_STEP_EXCHANGE] = "it is for the target and the bodies shown",
	};
	return meanings[row];
}

static void print_hex(struct span s, FILE *out)
{
	for (size_t i = 0; i < s.n; i++)
		fprintf(out, "%02x", (uint8_t)s.p[i]);
}

/* Safe in a terminal and between the quotes of JSON. */
static void print_id(struct span s, FILE *out)
{
	for (size_t i = 0; i < s.n; i++)
		fputc((s.p[i] >= '0' && s.p[i] <= '9') ||
				      ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z') || s.p[i] == '-' ||
				      s.p[i] == '.' || s.p[i] == '_'
			      ? s.p[i]
			      : '?',
		      out);
}

static void print_claims(const struct claims *c, FILE *out)
{
	fprintf(out, "version     %s\n", c->version);
	for (int i = 0; i < CLAIM_COUNT; i++) {
		char hex[2 * SHA256_SIZE + 1] = "none";
		if (c->has[i])
			digest_to_hex(c->sha256[i], SHA256_SIZE, hex);
		fprintf(out, "%-11s %s\n", claim_name(i), hex);
	}
}

static void print_facts(const struct verify_result *r, FILE *out)
{
	const struct attestation *a = &r->document;
	int64_t made = (int64_t)(a->timestamp / 1000);
	char when[VERIFY_TIME_MAX];
	verify_print_time(a->timestamp, when);
	fputs("\nmodule     ", out);
	print_id(a->module_id, out);
	fprintf(out, "\nmade       %s, %lld s before\n", when, (long long)(r->wish.at - made));
	if (attestation_is_debug(a))
		fputs("debug      yes: whoever runs the instance can look inside\n", out);
	if (r->is_unsigned)
		fputs("signed     by nobody: an emulator's document, which anybody can make\n", out);
	for (int i = 0; i < ATTESTATION_PCRS; i++) {
		if (!a->pcrs[i].p || (!r->wish.pcrs[i].p && i > 2))
			continue;
		fprintf(out, "PCR%-2d      ", i);
		print_hex(a->pcrs[i], out);
		fputc('\n', out);
	}
	if (r->asked[ATTESTATION_STEP_CLAIMS])
		print_claims(&r->claims, out);
	if (r->asked[VERIFY_STEP_RECEIPT])
		verify_print_receipt(&r->receipt.said, out);
}

void verify_print_table(const struct verify_result *r, FILE *out)
{
	for (int row = 0; row < VERIFY_STEPS; row++)
		fprintf(out, "%-10s %-12s %s\n", row_name(row), row_result(r, row), row_meaning(row));
	if (r->good)
		print_facts(r, out);
	if (r->good && r->is_unsigned)
		fputs("\naccepted UNSIGNED: chain and signature were NOT checked, this proves nothing\n",
		      out);
	else if (r->good)
		fputs("\naccepted\n", out);
	else
		fprintf(out, "\nrefused (%s): %s\n", refusal_name(r->why.reason), r->why.text);
}

static void print_json_bytes(const char *name, struct span s, FILE *out)
{
	fprintf(out, ",\"%s\":", name);
	if (!s.p) {
		fputs("null", out);
		return;
	}
	fputc('"', out);
	print_hex(s, out);
	fputc('"', out);
}

static void print_json_document(const struct attestation *a, FILE *out)
{
	const char *comma = "";
	fputs(",\"document\":{\"module_id\":\"", out);
	print_id(a->module_id, out);
	fprintf(out, "\",\"timestamp\":%llu,\"debug\":%s,\"pcrs\":{", (unsigned long long)a->timestamp,
		attestation_is_debug(a) ? "true" : "false");
	for (int i = 0; i < ATTESTATION_PCRS; i++) {
		if (!a->pcrs[i].p)
			continue;
		fprintf(out, "%s\"%d\":\"", comma, i);
		print_hex(a->pcrs[i], out);
		fputc('"', out);
		comma = ",";
	}
	fputc('}', out);
	print_json_bytes("user_data", a->user_data, out);
	print_json_bytes("nonce", a->nonce, out);
	print_json_bytes("public_key", a->public_key, out);
	fputc('}', out);
}

/* Why an accepted one proves less than it should. */
static void print_json_insecure(const struct verify_result *r, FILE *out)
{
	const char *comma = "";
	fputs(",\"insecure\":[", out);
	if (r->is_unsigned) {
		fputs("\"unsigned\"", out);
		comma = ",";
	}
	if (attestation_is_debug(&r->document))
		fprintf(out, "%s\"debug\"", comma);
	fputc(']', out);
}

/* All text in it is our own and needs no escapes. */
void verify_print_json(const struct verify_result *r, FILE *out)
{
	fprintf(out, "{\"verdict\":\"%s\",\"reason\":\"%s\",\"message\":\"%s\",\"checks\":{",
		r->good ? "accepted" : "refused", refusal_name(r->why.reason), r->why.text);
	for (int row = 0; row < VERIFY_STEPS; row++)
		fprintf(out, "%s\"%s\":\"%s\"", row ? "," : "", row_name(row), row_result(r, row));
	fputc('}', out);
	if (r->good) {
		print_json_insecure(r, out);
		print_json_document(&r->document, out);
	}
	if (r->good && r->asked[VERIFY_STEP_RECEIPT])
		verify_print_receipt_json(&r->receipt.said, out);
	fputs("}\n", out);
}

#include "verify_print_receipt.h"

#include <time.h>

#include "base/check.h"

void verify_print_time(uint64_t ms, char out[VERIFY_TIME_MAX])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	CHECK(gmtime_r(&seconds, &tm) && strftime(out, VERIFY_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm));
}

struct digest {
	const char *name;
	bool has;
	const uint8_t *bytes;
};

static void list_digests(const struct receipt *r, struct digest out[4])
{
	out[0] = (struct digest){"path", true, r->path};
	out[1] = (struct digest){"peer", r->secure, r->peer};
	out[2] = (struct digest){"request", r->has_request, r->request};
	out[3] = (struct digest){"response", true, r->response};
}

/* Its texts are printable, without quotes and backslashes: receipt_parse sees to that. */
void verify_print_receipt(const struct receipt *r, FILE *out)
{
	char when[VERIFY_TIME_MAX], hex[2 * SHA256_SIZE + 1];
	struct digest digests[4];
	verify_print_time(r->time, when);
	list_digests(r, digests);
	fprintf(out, "\nexchange    %.*s %.*s, answered with %u at %s\n", SPAN_ARG(r->method),
		SPAN_ARG(r->target), r->status, when);
	if (r->secure)
		fprintf(out, "tls         %.*s, %.*s\n", SPAN_ARG(r->tls), SPAN_ARG(r->cipher));
	else
		fputs("tls         none: nothing proves who has answered\n", out);
	for (size_t i = 0; i < countof(digests); i++) {
		if (digests[i].has)
			digest_to_hex(digests[i].bytes, SHA256_SIZE, hex);
		fprintf(out, "%-11s %s\n", digests[i].name, digests[i].has ? hex : "none");
	}
}

static void print_text(const char *name, bool has, struct span text, FILE *out)
{
	if (has)
		fprintf(out, ",\"%s\":\"%.*s\"", name, SPAN_ARG(text));
	else
		fprintf(out, ",\"%s\":null", name);
}

void verify_print_receipt_json(const struct receipt *r, FILE *out)
{
	char hex[2 * SHA256_SIZE + 1];
	struct digest digests[4];
	list_digests(r, digests);
	fprintf(out, ",\"receipt\":{\"time\":%llu,\"status\":%u", (unsigned long long)r->time, r->status);
	print_text("method", true, r->method, out);
	print_text("target", true, r->target, out);
	print_text("tls", r->secure, r->tls, out);
	print_text("cipher", r->secure, r->cipher, out);
	for (size_t i = 0; i < countof(digests); i++) {
		if (digests[i].has)
			digest_to_hex(digests[i].bytes, SHA256_SIZE, hex);
		print_text(digests[i].name, digests[i].has, span_of(hex), out);
	}
	fputc('}', out);
}

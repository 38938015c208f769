/* Images as JSON, with the names that nitro-cli uses. */
#include <inttypes.h>

#include "base/check.h"
#include "base/quote.h"
#include "image.h"

static void print_pcr(FILE *out, const char *name, const uint8_t pcr[SHA384_SIZE], const char *behind)
{
	char hex[2 * SHA384_SIZE + 1];
	digest_to_hex(pcr, SHA384_SIZE, hex);
	fprintf(out, "    \"%s\": \"%s\"%s\n", name, hex, behind);
}

static void print_members(const struct eif *e, const struct eif_measurements *m, FILE *out)
{
	fputs("  \"Measurements\": {\n    \"HashAlgorithm\": \"Sha384 { ... }\",\n", out);
	print_pcr(out, "PCR0", m->pcr0, ",");
	print_pcr(out, "PCR1", m->pcr1, ",");
	print_pcr(out, "PCR2", m->pcr2, e->signature.p ? "," : "");
	if (e->signature.p)
		print_pcr(out, "PCR8", m->pcr8, "");
	fputs("  }", out);
}

void image_print_measurements(const struct eif *e, const struct eif_measurements *m, FILE *out)
{
	fputs("{\n", out);
	print_members(e, m, out);
	fputs("\n}\n", out);
}

/* Bytes of anybody's, as a JSON string. */
static void print_text(FILE *out, const char *name, struct span text)
{
	char part[512];
	fprintf(out, "  \"%s\": \"", name);
	while (text.n) {
		size_t taken, n = quote_json(part, sizeof part, text, &taken);
		fwrite(part, 1, n, out);
		text = span_from(text, taken);
	}
	fputs("\"", out);
}

void image_print_description(const struct eif *e, const struct eif_measurements *m, FILE *out)
{
	fprintf(out, "{\n  \"EifVersion\": %u,\n  \"Architecture\": \"%s\",\n", e->version,
		e->flags & EIF_ARM64 ? "arm64" : "x86_64");
	fprintf(out, "  \"DefaultMemoryBytes\": %" PRIu64 ",\n  \"DefaultCpus\": %" PRIu64 ",\n",
		e->default_memory, e->default_cpus);
	print_members(e, m, out);
	fprintf(out,
		",\n  \"IsSigned\": %s,\n  \"CheckCRC\": true,\n  \"KernelBytes\": %zu,\n  \"RamdiskBytes\": "
		"[",
		e->signature.p ? "true" : "false", e->kernel.n);
	for (size_t i = 0; i < e->ramdisks; i++)
		fprintf(out, "%s%zu", i ? ", " : "", e->ramdisk[i].n);
	fputs("],\n", out);
	print_text(out, "Cmdline", e->cmdline);
	fputs(",\n", out);
	print_text(out, "Metadata", e->metadata);
	fputs("\n}\n", out);
}

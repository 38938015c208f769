/*
 * nitroproxy verify: is this document by a Nitro enclave, of the image I know, made for me just now, and
 * is what it claims about itself what I was shown? Needs no network.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "cmd.h"
#include "nsm/attestation.h"
#include "nsm/claims.h"
#include "nsm/input.h"
#include "verify_args.h"
#include "verify_print.h"

enum { EXIT_GOOD = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

#define FILE_MAX (16u << 20) /* policies, trust stores, executables */

struct verification {
	struct verify_args args;
	uint8_t root[SHA256_SIZE];
	struct buf document, claims_text;
	struct claims claims;
};

static bool load_root(struct verification *v, struct error *err)
{
	struct buf file;
	buf_init(&file, FILE_MAX);
	bool good = input_read(v->args.root_file, &file, err) && input_root(buf_span(&file), v->root, err);
	buf_free(&file);
	v->args.wish.root = v->root;
	return good;
}

/* Everything but what the verdict is about: what fails here is the caller's mistake, not the enclave's. */
static bool load(struct verification *v, struct error *err)
{
	if (v->args.root_file && !load_root(v, err))
		return false;
	if (v->args.claims_file) {
		if (!input_read(v->args.claims_file, &v->claims_text, err))
			return false;
		v->args.wish.claims = v->claims_text.n ? buf_span(&v->claims_text) : SPAN("");
	}
	if (!input_read(v->args.file ? v->args.file : "-", &v->document, err))
		return false;
	input_document(&v->document);
	return true;
}

/* The document, then what its user_data vouches for. */
static bool judge(struct verification *v, struct attestation_report *report)
{
	struct error err;
	if (!attestation_verify(buf_span(&v->document), &v->args.wish, report))
		return false;
	if (!v->args.claims_file || claims_parse(v->args.wish.claims, &v->claims, &err))
		return true;
	report->failed = ATTESTATION_STEP_CLAIMS;
	return refuse(&report->why, REFUSE_CLAIMS, "%s", err.text);
}

/* The files against the claims, once the claims are believed. */
static bool check_files(const struct verification *v, bool *good, struct refusal *why, struct error *err)
{
	for (enum claim i = 0; *good && i < CLAIM_COUNT; i++) {
		if (!v->args.claimed_files[i])
			continue;
		struct buf file;
		struct claims shown = {.version = ""};
		buf_init(&file, FILE_MAX);
		bool was_read = input_read(v->args.claimed_files[i], &file, err);
		if (was_read)
			claims_set(&shown, i, file.n ? buf_span(&file) : SPAN(""));
		buf_free(&file);
		if (!was_read)
			return false;
		if (!v->claims.has[i] || memcmp(v->claims.sha256[i], shown.sha256[i], SHA256_SIZE) != 0)
			*good = refuse(why, REFUSE_CLAIMED_FILE, "the claimed %s is not the file shown",
				       claim_name(i));
	}
	return true;
}

static int verify(struct verification *v)
{
	struct error err;
	struct attestation_report report;
	bool good = false;
	bool could = load(v, &err);
	if (could) {
		good = judge(v, &report);
		could = check_files(v, &good, &report.why, &err);
	}
	if (!could) {
		fprintf(stderr, "nitroproxy verify: %s\n", err.text);
		return EXIT_USAGE;
	}
	struct verify_result result = {.good = good,
				       .report = &report,
				       .wish = &v->args.wish,
				       .claims = v->args.claims_file ? &v->claims : NULL,
				       .files = v->args.claimed_files};
	if (v->args.json)
		verify_print_json(&result, stdout);
	else
		verify_print_table(&result, stdout);
	return good ? EXIT_GOOD : EXIT_REFUSED;
}

int cmd_verify(int argc, char **argv)
{
	struct verification *v = mem_zero(sizeof *v);
	struct error err;
	int status = EXIT_GOOD;
	v->args.wish.at = time(NULL);
	buf_init(&v->document, 2 * COSE_MAX); /* base64 is a third longer */
	buf_init(&v->claims_text, CLAIMS_MAX);
	if (!verify_parse_args(&v->args, argc, argv, &err)) {
		fprintf(stderr, "nitroproxy verify: %s (see --help)\n", err.text);
		status = EXIT_USAGE;
	} else if (v->args.help) {
		fputs(verify_help, stdout);
	} else {
		status = verify(v);
	}
	buf_free(&v->document);
	buf_free(&v->claims_text);
	free(v);
	return status;
}

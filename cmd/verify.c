/*
 * nitroproxy verify: is this document by a Nitro enclave, of the image I know, made for me just now, and is
 * what it claims about itself what I was shown? Asked of files it needs no network; asked of a URL it also
 * sees to it that nobody stands between.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd.h"
#include "nsm/input.h"
#include "tls/entropy.h"
#include "verify_forward.h"
#include "verify_print.h"
#include "verify_receipt.h"
#include "verify_url.h"

enum { EXIT_GOOD = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2 };

#define ROOT_MAX   (1u << 20)
#define NONCE_SIZE 32 /* of one that is made here */

struct verification {
	struct verify_args args;
	uint8_t root[SHA256_SIZE];
	struct buf document; /* base64 in a file is a third longer */
	struct buf receipt;
	struct verify_answer answer;
	struct target to;
};

static bool load_root(struct verification *v, struct error *err)
{
	struct buf file;
	buf_init(&file, ROOT_MAX);
	bool good = input_read(v->args.root_file, &file, err) && input_root(buf_span(&file), v->root, err);
	buf_free(&file);
	v->args.wish.root = v->root;
	return good;
}

static bool load_files(struct verification *v, struct verify_shown *shown, struct error *err)
{
	struct buf *claims = &v->answer.evidence.claims;
	if (v->args.claims_file) {
		if (!input_read(v->args.claims_file, claims, err))
			return false;
		shown->claims = claims->n ? buf_span(claims) : SPAN("");
	}
	if (!input_read(v->args.file ? v->args.file : "-", &v->document, err))
		return false;
	input_document(&v->document);
	shown->document = buf_span(&v->document);
	return true;
}

static bool ask(struct verification *v, struct verify_shown *shown, struct error *err)
{
	struct attestation_wish *wish = &v->args.wish;
	if (!wish->nonce.p) {
		entropy_fill(v->args.nonce, NONCE_SIZE);
		wish->nonce = (struct span){(const char *)v->args.nonce, NONCE_SIZE};
	}
	struct tls_conf *tls = verify_channel_tls(v->args.client_certificate, v->args.client_key, err);
	bool good = tls && verify_url(&v->to, tls, wish->nonce, &v->answer, err);
	tls_conf_free(tls);
	if (!good)
		return false;
	shown->document = buf_span(&v->answer.evidence.document);
	shown->claims = buf_span(&v->answer.evidence.claims);
	shown->key = v->answer.secure ? v->answer.key : NULL;
	return true;
}

/* Everything but what the verdict is about: what fails here is the caller's mistake, not the enclave's. */
static bool load(struct verification *v, struct verify_shown *shown, struct error *err)
{
	if (v->args.root_file && !load_root(v, err))
		return false;
	if (v->args.receipt) {
		if (!verify_receipt_load(v->args.receipt, &v->receipt, err))
			return false;
		shown->receipt = v->receipt.n ? buf_span(&v->receipt) : SPAN("");
	}
	if (!v->args.url)
		return load_files(v, shown, err);
	return entropy_start(err) && verify_channel_url(v->args.url, &v->to, err) && ask(v, shown, err);
}

static int verify(struct verification *v)
{
	struct error err;
	struct verify_shown shown = {.key = NULL};
	struct verify_result r;
	if (v->args.wish.allow_unsigned)
		fputs("nitroproxy verify: WARNING: --allow-unsigned takes documents that anybody can make\n",
		      stderr);
	if (!load(v, &shown, &err) || !verify_judge(&v->args, &shown, &r, &err)) {
		fprintf(stderr, "nitroproxy verify: %s\n", err.text);
		return EXIT_USAGE;
	}
	if (v->args.json)
		verify_print_json(&r, stdout);
	else
		verify_print_table(&r, stdout);
	if (!r.good)
		return EXIT_REFUSED;
	if (!v->args.forward)
		return EXIT_GOOD;
	fflush(stdout);
	if (verify_forward(&v->args, &v->to, &err))
		return EXIT_GOOD;
	fprintf(stderr, "nitroproxy verify: %s\n", err.text);
	return EXIT_USAGE;
}

int cmd_verify(int argc, char **argv)
{
	struct verification *v = mem_zero(sizeof *v);
	struct error err;
	int status = EXIT_GOOD;
	buf_init(&v->document, 2 * COSE_MAX);
	buf_init(&v->receipt, VERIFY_RECEIPT_FILE_MAX);
	verify_evidence_init(&v->answer.evidence);
	if (!verify_parse_args(&v->args, argc, argv, &err)) {
		fprintf(stderr, "nitroproxy verify: %s (see --help)\n", err.text);
		status = EXIT_USAGE;
	} else if (v->args.help) {
		fputs(verify_help, stdout);
	} else {
		status = verify(v);
	}
	buf_free(&v->document);
	buf_free(&v->receipt);
	verify_evidence_free(&v->answer.evidence);
	target_free(&v->to);
	free(v);
	return status;
}

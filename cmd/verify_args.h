/* The command line of `nitroproxy verify`. */
#ifndef CMD_VERIFY_ARGS_H
#define CMD_VERIFY_ARGS_H

#include "base/error.h"
#include "nsm/attestation.h"
#include "nsm/claims.h"

struct verify_args {
	const char *file;    /* NULL: standard input, or url */
	const char *url;     /* ask there; or NULL */
	const char *forward; /* .. and then forward what comes in at this address; or NULL */
	const char *client_certificate, *client_key; /* files, shown to an enclave that asks; or NULL */
	const char *root_file, *claims_file;	     /* or NULL */
	const char *receipt;			     /* a file with one; or NULL */
	const char *target, *body, *request_body;    /* a URL and files that it is held against; or NULL */
	const char *claimed_files[CLAIM_COUNT];	     /* what the claims are held against; or NULL */
	bool any_nonce, any_pcrs, has_pcr, has_at, json, help;
	uint8_t nonce[ATTESTATION_OPTIONAL_MAX];
	uint8_t pcrs[ATTESTATION_PCRS][ATTESTATION_PCR_MAX];
	struct attestation_wish wish; /* points into this struct; root, claims and the present
					 are left to who uses them */
};

extern const char verify_help[];

bool verify_parse_args(struct verify_args *a, int argc, char **argv, struct error *err);

#endif

/* The verdict of `nitroproxy verify` on what was shown, wherever it came from. */
#ifndef CMD_VERIFY_JUDGE_H
#define CMD_VERIFY_JUDGE_H

#include "nsm/receipt.h"
#include "verify_args.h"

/* Borrowed; the result points into the document. */
struct verify_shown {
	struct span document;
	struct span claims;  /* p NULL: none */
	struct span receipt; /* likewise */
	const uint8_t *
		key; /* SHA-256 of the key that signed the TLS handshake it came over; NULL: there was none */
};

/* The steps of attestation_verify, then these. */
enum {
	VERIFY_STEP_CHANNEL = ATTESTATION_STEP_COUNT,
	VERIFY_STEP_FILES,
	VERIFY_STEP_RECEIPT,
	VERIFY_STEP_EXCHANGE,
	VERIFY_STEPS
};

struct verify_result {
	bool good;
	int failed;	    /* step; VERIFY_STEPS: none */
	struct refusal why; /* when not good */
	bool asked[VERIFY_STEPS];
	bool is_unsigned;	     /* chain and signature were not checked */
	struct attestation document; /* to be believed only when good */
	struct claims claims;	     /* likewise */
	struct receipt_read receipt; /* likewise; points into the one that was shown */
	struct attestation_wish wish;
};

/* False: it could not be judged, for a file of the caller's cannot be read. */
bool verify_judge(const struct verify_args *args, const struct verify_shown *shown, struct verify_result *r,
		  struct error *err);

#endif

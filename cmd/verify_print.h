/* How `nitroproxy verify` tells its verdict: a table for people, JSON for programs. */
#ifndef CMD_VERIFY_PRINT_H
#define CMD_VERIFY_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "nsm/attestation.h"
#include "nsm/claims.h"

struct verify_result {
	bool good;
	const struct attestation_report *report;
	const struct attestation_wish *wish;
	const struct claims *claims; /* NULL: none shown */
	const char *const *files;    /* by enum claim: the file it was held against, or NULL */
};

void verify_print_table(const struct verify_result *r, FILE *out);

/*
 * {"verdict": "accepted"|"refused", "reason": "none".., "message": "..",
 *  "checks": {"syntax": "ok"|"failed"|"not reached"|"not asked", ..},
 *  "document": {"module_id", "timestamp" (ms), "debug", "pcrs": {"0": hex}, "user_data", "nonce",
 * "public_key"}} The document is there only when it was accepted: nothing else of it deserves to be read by a
 * program.
 */
void verify_print_json(const struct verify_result *r, FILE *out);

#endif

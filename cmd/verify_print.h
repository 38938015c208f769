/* How `nitroproxy verify` tells its verdict: a table for people, JSON for programs. */
#ifndef CMD_VERIFY_PRINT_H
#define CMD_VERIFY_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "verify_judge.h"

void verify_print_table(const struct verify_result *r, FILE *out);

/*
 * {"verdict": "accepted"|"refused", "reason": "none".., "message": "..",
 *  "checks": {"syntax": "ok"|"failed"|"not reached"|"not asked"|"NOT CHECKED", ..},
 *  "insecure": ["unsigned", "debug"],
 *  "document": {"module_id", "timestamp" (ms), "debug", "pcrs": {"0": hex}, "user_data", "nonce",
 * "public_key"}} The last two are there only when it was accepted: nothing else of it deserves to be read by
 * a program.
 */
void verify_print_json(const struct verify_result *r, FILE *out);

#endif

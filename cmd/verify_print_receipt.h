/* What a receipt says, as a part of the verdict (verify_print.h). Only of one that was accepted. */
#ifndef CMD_VERIFY_PRINT_RECEIPT_H
#define CMD_VERIFY_PRINT_RECEIPT_H

#include <stdio.h>

#include "nsm/receipt.h"

#define VERIFY_TIME_MAX 32

/* ms since 1970 as 2022-11-09T22:52:01Z. */
void verify_print_time(uint64_t ms, char out[VERIFY_TIME_MAX]);

void verify_print_receipt(const struct receipt *r, FILE *out);
/* ,"receipt":{"time" (ms), "method", "target", "path", "status", "tls", "cipher", "peer", "request",
 * "response"} */
void verify_print_receipt_json(const struct receipt *r, FILE *out);

#endif

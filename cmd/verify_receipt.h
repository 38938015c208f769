/* `nitroproxy verify --receipt`: is it by the enclave whose claims were verified, and about what I sent and
 * got? */
#ifndef CMD_VERIFY_RECEIPT_H
#define CMD_VERIFY_RECEIPT_H

#include "verify_judge.h"

#define VERIFY_RECEIPT_FILE_MAX                                                                              \
	65536 /* a response's whole head and trailers, as curl --dump-header keeps them */

/*
 * The receipt in a file: as CBOR, in base64, as the field's value or line, or among the lines of a head. What
 * comes out is the judge's to judge.
 */
bool verify_receipt_load(const char *path, struct buf *receipt, struct error *err);

/*
 * The steps VERIFY_STEP_RECEIPT and VERIFY_STEP_EXCHANGE, behind all others: r->claims are to be believed.
 * False: it could not be judged, for a file or URL of the caller's cannot be read.
 */
bool verify_receipt_judge(const struct verify_args *args, struct span receipt, struct verify_result *r,
			  struct error *err);

#endif

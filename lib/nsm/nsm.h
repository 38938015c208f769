/*
 * The Nitro Security Module, as the enclave's kernel offers it at /dev/nsm: one CBOR request, one CBOR
 * response (aws-nitro-enclaves-nsm-api, src/api/mod.rs and the kernel's include/uapi/linux/nsm.h).
 *
 *	request                                       response
 *	"DescribeNSM"                                 {"DescribeNSM": {version_major.., locked_pcrs: [..]}}
 *	"GetRandom"                                   {"GetRandom": {"random": bytes}}
 *	{"DescribePCR": {"index": n}}                 {"DescribePCR": {"lock": bool, "data": bytes}}
 *	{"ExtendPCR": {"index": n, "data": bytes}}    {"ExtendPCR": {"data": bytes}}
 *	{"LockPCR": {"index": n}}                     "LockPCR"
 *	{"LockPCRs": {"range": n}}                    "LockPCRs"
 *	{"Attestation": {"user_data": bytes|null,     {"Attestation": {"document": bytes}}
 *	    "nonce": .., "public_key": ..}}           any of them: {"Error": "InvalidArgument"}
 *
 * The driver answers one caller at a time and can block for 120 s: call from a job (base/loop.h), never
 * from the loop. One nsm may be used by several threads.
 */
#ifndef NSM_NSM_H
#define NSM_NSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "nsm/attestation.h"

#define NSM_REQUEST_MAX	 4096
#define NSM_RESPONSE_MAX 12288 /* always offered in full: the driver cuts what is longer and says nothing */
#define NSM_RANDOM_MAX	 256   /* bytes of one GetRandom */

/* Where requests go: the device, or the software NSM of soft.h. */
struct nsm {
	/* Sends one request and appends the response to an empty buffer of NSM_RESPONSE_MAX. */
	bool (*call)(struct nsm *n, struct span request, struct buf *response, struct error *err);
	void (*close)(struct nsm *n);
	bool software; /* its documents prove nothing */
};

/* path NULL: /dev/nsm. Freed by nsm_close. */
struct nsm *nsm_open(const char *path, struct error *err);
void nsm_close(struct nsm *n); /* NULL is fine */

struct nsm_pcr {
	bool locked;
	uint8_t value[ATTESTATION_PCR_MAX];
	size_t size;
};

struct nsm_description {
	unsigned major, minor, patch;
	char module_id[ATTESTATION_MODULE_MAX + 1];
	unsigned max_pcrs;
	uint32_t locked; /* bit n: PCR n is locked */
};

/* p NULL: not in the document. */
struct nsm_evidence {
	struct span user_data, nonce; /* at most ATTESTATION_NONCE_SEND bytes each */
	struct span public_key;	      /* at most ATTESTATION_OPTIONAL_MAX */
};

bool nsm_describe(struct nsm *n, struct nsm_description *d, struct error *err);
bool nsm_random(struct nsm *n, struct buf *out, struct error *err); /* appends 1..NSM_RANDOM_MAX bytes */
bool nsm_describe_pcr(struct nsm *n, unsigned index, struct nsm_pcr *pcr, struct error *err);
bool nsm_extend_pcr(struct nsm *n, unsigned index, struct span data, struct nsm_pcr *pcr, struct error *err);
bool nsm_lock_pcr(struct nsm *n, unsigned index, struct error *err);
bool nsm_lock_pcrs(struct nsm *n, unsigned count, struct error *err); /* PCR 0 up to count - 1 */
bool nsm_attest(struct nsm *n, const struct nsm_evidence *e, struct buf *document, struct error *err);

#endif

/*
 * A software NSM for development: same requests, same documents, but its own root, made when it is opened.
 * Whoever holds the process holds its keys, so its documents prove nothing; they verify only against that
 * root. Enclave builds (NP_ENCLAVE_BUILD) do not have it, so nothing there can switch it on.
 */
#ifndef NSM_SOFT_H
#define NSM_SOFT_H

#ifndef NP_ENCLAVE_BUILD

#include "nsm/nsm.h"

struct soft_options {
	struct span pcrs[3]; /* PCR0 to 2, 48 bytes each; p NULL: zero, which verifiers take for debug mode */
	int64_t now;	     /* seconds since 1970, for certificates and documents; 0: the system's clock */
};

/* PCR 0 to 15 are locked, as on Nitro. Freed by nsm_close. */
struct nsm *soft_open(const struct soft_options *options, struct error *err);

/* The root's certificate in DER; lives as long as the NSM. */
struct span soft_root(const struct nsm *n);

#endif
#endif

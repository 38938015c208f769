/*
 * The certificates of the software NSM: a chain shaped like AWS's, made in memory.
 *
 *	root (30 years)  ->  instance (1 day, pathlen 0)  ->  leaf (3 hours, signs documents)
 */
#ifndef NSM_SOFT_CA_H
#define NSM_SOFT_CA_H

#ifndef NP_ENCLAVE_BUILD

#include "nsm/attestation.h"
#include "nsm/es384.h"

struct soft_ca;

struct soft_ca *soft_ca_new(int64_t now, struct error *err);
void soft_ca_free(struct soft_ca *ca); /* NULL is fine */
/* Replaces instance and leaf when half of the leaf's life is over. */
bool soft_ca_renew(struct soft_ca *ca, int64_t now, struct error *err);
void soft_ca_chain(const struct soft_ca *ca, struct attestation *a); /* certificate and bundle, borrowed */
const struct es384_key *soft_ca_key(const struct soft_ca *ca);	     /* the leaf's */

#endif
#endif

/*
 * What this process claims about itself (nsm/claims.h), taken from what is in force, not from what was meant.
 */
#ifndef PROXY_ATTEST_CLAIMS_H
#define PROXY_ATTEST_CLAIMS_H

#include "nsm/claims.h"
#include "proxy/settings.h"
#include "tls/tls_conf.h"

/*
 * All but the ingress key. Reads the executable once, through /proc/self/exe, which is what was started
 * even if the file has been replaced since.
 */
bool attest_claims(struct claims *c, const struct settings *s, const struct policy *policy,
		   const struct tls_conf *tls, struct error *err);

#endif

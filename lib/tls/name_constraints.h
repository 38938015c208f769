/*
 * Name constraints (RFC 5280 section 4.2.1.10): a CA may only vouch for names inside its
 * permitted subtrees and outside its excluded ones. Enforced whether critical or not.
 *
 * DNS names, IP addresses and directory names are compared. A constraint of another kind
 * (mail, URI, ..) refuses every certificate that has a name of that kind: nothing here
 * needs such names, and a constraint that is not understood must not be passed over.
 *
 * A wildcard stands for every name it matches: all of them must be permitted, none excluded.
 */
#ifndef TLS_NAME_CONSTRAINTS_H
#define TLS_NAME_CONSTRAINTS_H

#include "tls/cert_view.h"

/*
 * May `ca` vouch for the names of `below`? *budget goes down by the comparisons made;
 * when it is used up the certificate is refused (thousands of names times thousands of
 * constraints are an attack, not a certificate).
 */
bool name_constraints_allow(const struct cert_view *ca, const struct cert_view *below, unsigned *budget,
			    struct error *err);

#endif

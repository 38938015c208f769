/*
 * Distinguished names in name constraints (RFC 5280 section 7.1): compared attribute by
 * attribute, case and blanks folded as the strings may be encoded differently.
 */
#ifndef TLS_DIRECTORY_NAME_H
#define TLS_DIRECTORY_NAME_H

#include "base/span.h"

/* Name ::= SEQUENCE OF SET OF SEQUENCE { type OID, value ANY }, with its header. */
bool directory_name_well_formed(struct span name);
/* Do the first RDNs of name equal those of base? */
bool directory_name_within(struct span name, struct span base);

#endif

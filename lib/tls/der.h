/*
 * Reading DER (X.690): one element after another out of a span. Definite lengths in
 * their shortest form and tags below 31 only, which is all that certificates hold.
 */
#ifndef TLS_DER_H
#define TLS_DER_H

#include "base/span.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_SEQUENCE = 0x30,
	DER_CONTEXT = 0x80,	/* | number: primitive */
	DER_CONTEXT_SET = 0xa0, /* | number: constructed */
};

/* Cuts the first element off *rest. False: there is none, or it is malformed. */
bool der_next(struct span *rest, unsigned *tag, struct span *content);
/* The same for an element that has to be of this tag; *rest stays as it was when it is not. */
bool der_take(struct span *rest, unsigned tag, struct span *content);
/* Is the first element of this tag? */
bool der_is(struct span rest, unsigned tag);

#endif

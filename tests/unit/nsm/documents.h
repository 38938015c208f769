/* The real documents of tests/data/attestation, and the times at which they were made. */
#ifndef UNIT_NSM_DOCUMENTS_H
#define UNIT_NSM_DOCUMENTS_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "nsm/attestation.h"
#include "nsm/input.h"

#define VERACRUZ_AT	   1668034321
#define EVERVAULT_AT	   1665651483
#define EVERVAULT_DEBUG_AT 1665582607
#define EVERVAULT_GA_AT	   1695049411

/* From the tests' directory, base64 undone. The caller frees it. */
static inline struct buf document_load(const char *name)
{
	char path[4096];
	struct buf b;
	struct error err;
	const char *tests = getenv("NP_TESTS");
	snprintf(path, sizeof path, "%s/data/attestation/%s", tests ? tests : "tests", name);
	buf_init(&b, 2 * COSE_MAX);
	if (!input_read(path, &b, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	input_document(&b);
	return b;
}

static inline struct span span_of_bytes(const void *p, size_t n)
{
	return (struct span){p, n};
}

#endif

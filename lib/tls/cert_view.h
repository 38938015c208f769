/*
 * What a certificate says about itself, read strictly from its DER: the extensions that
 * decide over a path (RFC 5280 section 4.2). mbedTLS parses some of them leniently, some
 * not at all, and keeps no note of what was absent or critical.
 *
 * A certificate that breaks a MUST of the encoding is refused here, in whatever place of
 * a path it stands: duplicate extensions, an empty or malformed subjectAltName, key usage
 * without a bit, nameConstraints on what is no CA, criticality where it is forbidden.
 */
#ifndef TLS_CERT_VIEW_H
#define TLS_CERT_VIEW_H

#include <mbedtls/x509_crt.h>

#include "base/error.h"
#include "base/span.h"

/* GeneralName's context tags (RFC 5280 section 4.2.1.6). */
enum {
	NAME_OTHER,
	NAME_EMAIL,
	NAME_DNS,
	NAME_X400,
	NAME_DIRECTORY,
	NAME_EDI,
	NAME_URI,
	NAME_IP,
	NAME_ID,
	NAME_KINDS
};

struct cert_view {
	const mbedtls_x509_crt *crt;		  /* borrowed; the spans point into it */
	bool self_issued;			  /* subject and issuer are the same */
	bool is_ca;				  /* basicConstraints say so */
	int path_len;				  /* -1: no limit */
	bool has_usage, usage_certs, usage_signs; /* keyUsage: keyCertSign, digitalSignature */
	bool has_purpose, purpose_server,
		purpose_client; /* extendedKeyUsage; anyExtendedKeyUsage names none */
	bool has_names, names_critical;
	struct span names;		 /* GeneralNames, see general_name_next */
	struct span permitted, excluded; /* GeneralSubtrees, see name_constraints.h; p NULL: absent */
};

/* err: ERR_TLS_CERTIFICATE with the reason. */
bool cert_view_read(struct cert_view *v, const mbedtls_x509_crt *crt, struct error *err);

/* Cuts the first name off *rest; kind is a NAME_*. False at the end, or malformed: then rest->n is not 0. */
bool general_name_next(struct span *rest, unsigned *kind, struct span *value);

struct span cert_subject(const mbedtls_x509_crt *crt); /* the RDNSequence, with its header */
struct span cert_issuer(const mbedtls_x509_crt *crt);

#endif

#include "tls/cert_view.h"

#include "base/be.h"
#include "tls/der.h"
#include "tls/directory_name.h"
#include "tls/server_name.h"

#define REFUSE(...) error_set(err, ERR_TLS_CERTIFICATE, __VA_ARGS__)

/* id-ce: 2.5.29.n is 55 1d n */
enum ce {
	CE_SUBJECT_KEY_ID = 14,
	CE_KEY_USAGE = 15,
	CE_SUBJECT_ALT_NAME = 17,
	CE_BASIC_CONSTRAINTS = 19,
	CE_NAME_CONSTRAINTS = 30,
	CE_AUTHORITY_KEY_ID = 35,
	CE_POLICY_CONSTRAINTS = 36,
	CE_EXT_KEY_USAGE = 37,
	CE_INHIBIT_ANY_POLICY = 54,
};

#define OID_AUTHORITY_INFO_ACCESS SPAN("\x2b\x06\x01\x05\x05\x07\x01\x01") /* 1.3.6.1.5.5.7.1.1 */
#define OID_SERVER_AUTH		  SPAN("\x2b\x06\x01\x05\x05\x07\x03\x01") /* 1.3.6.1.5.5.7.3.1 */
#define OID_CLIENT_AUTH		  SPAN("\x2b\x06\x01\x05\x05\x07\x03\x02") /* 1.3.6.1.5.5.7.3.2 */

#define MAX_EXTENSIONS 64

struct span cert_subject(const mbedtls_x509_crt *crt)
{
	return (struct span){(const char *)crt->subject_raw.p, crt->subject_raw.len};
}

struct span cert_issuer(const mbedtls_x509_crt *crt)
{
	return (struct span){(const char *)crt->issuer_raw.p, crt->issuer_raw.len};
}

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
static bool read_basic_constraints(struct cert_view *v, struct span value, struct error *err)
{
	struct span seq, flag = {0}, len;
	if (!der_take(&value, DER_SEQUENCE, &seq) || value.n)
		return REFUSE("basicConstraints are malformed");
	if (der_is(seq, DER_BOOLEAN) && (!der_take(&seq, DER_BOOLEAN, &flag) || flag.n != 1))
		return REFUSE("basicConstraints are malformed");
	v->is_ca = flag.n == 1 && flag.p[0] != 0;
	if (!seq.n)
		return true;
	if (!der_take(&seq, DER_INTEGER, &len) || seq.n || len.n < 1 || len.n > 2 || len.p[0] < 0)
		return REFUSE("basicConstraints are malformed");
	if (!v->is_ca)
		return REFUSE("a path length is given by a certificate that is no CA");
	v->path_len = (int)be_number(len.p, len.n);
	return true;
}

/* KeyUsage ::= BIT STRING: digitalSignature is bit 0, keyCertSign bit 5, counted from the top */
static bool read_key_usage(struct cert_view *v, struct span value, struct error *err)
{
	struct span bits;
	if (!der_take(&value, DER_BIT_STRING, &bits) || value.n || bits.n < 2 || bits.n > 3 || bits.p[0] > 7)
		return REFUSE("keyUsage is malformed");
	if (bits.p[1] == 0 && (bits.n < 3 || bits.p[2] == 0))
		return REFUSE("keyUsage allows nothing");
	v->has_usage = true;
	v->usage_signs = bits.p[1] & 0x80;
	v->usage_certs = bits.p[1] & 0x04;
	return true;
}

/* ExtKeyUsageSyntax ::= SEQUENCE SIZE (1..MAX) OF OBJECT IDENTIFIER */
static bool read_purposes(struct cert_view *v, struct span value, struct error *err)
{
	struct span seq, oid;
	if (!der_take(&value, DER_SEQUENCE, &seq) || value.n || !seq.n)
		return REFUSE("extendedKeyUsage is malformed");
	v->has_purpose = true;
	while (seq.n) {
		if (!der_take(&seq, DER_OID, &oid))
			return REFUSE("extendedKeyUsage is malformed");
		v->purpose_server |= span_is(oid, OID_SERVER_AUTH);
		v->purpose_client |= span_is(oid, OID_CLIENT_AUTH);
	}
	return true;
}

bool general_name_next(struct span *rest, unsigned *kind, struct span *value)
{
	unsigned tag;
	struct span s = *rest;
	if (!der_next(&s, &tag, value) || (tag & 0xc0) != DER_CONTEXT || (tag & 0x1f) >= NAME_KINDS)
		return false;
	*kind = tag & 0x1f;
	bool constructed =
		*kind == NAME_OTHER || *kind == NAME_X400 || *kind == NAME_DIRECTORY || *kind == NAME_EDI;
	if (constructed != !!(tag & 0x20))
		return false;
	*rest = s;
	return true;
}

static bool read_names(struct cert_view *v, struct span value, bool critical, struct error *err)
{
	struct span names, name;
	if (!der_take(&value, DER_SEQUENCE, &names) || value.n)
		return REFUSE("subjectAltName is malformed");
	if (!names.n)
		return REFUSE("subjectAltName is empty");
	v->has_names = true;
	v->names_critical = critical;
	v->names = names;
	while (names.n) {
		unsigned kind;
		if (!general_name_next(&names, &kind, &name))
			return REFUSE("subjectAltName is malformed");
		if (kind == NAME_DNS && !server_name_is_pattern(name))
			return REFUSE("subjectAltName holds a malformed DNS name");
		if (kind == NAME_IP && name.n != 4 && name.n != 16)
			return REFUSE("subjectAltName holds a malformed IP address");
		if (kind == NAME_DIRECTORY && !directory_name_well_formed(name))
			return REFUSE("subjectAltName holds a malformed directory name");
	}
	return true;
}

/* NameConstraints ::= SEQUENCE { permittedSubtrees [0], excludedSubtrees [1] }, each OPTIONAL, not both
 * absent */
static bool read_name_constraints(struct cert_view *v, struct span value, struct error *err)
{
	struct span seq;
	if (!der_take(&value, DER_SEQUENCE, &seq) || value.n || !seq.n)
		return REFUSE("nameConstraints are malformed");
	if (der_is(seq, DER_CONTEXT_SET | 0) &&
	    (!der_take(&seq, DER_CONTEXT_SET | 0, &v->permitted) || !v->permitted.n))
		return REFUSE("nameConstraints are malformed");
	if (der_is(seq, DER_CONTEXT_SET | 1) &&
	    (!der_take(&seq, DER_CONTEXT_SET | 1, &v->excluded) || !v->excluded.n))
		return REFUSE("nameConstraints are malformed");
	return seq.n ? REFUSE("nameConstraints are malformed") : true;
}

/* AuthorityInfoAccessSyntax ::= SEQUENCE SIZE (1..MAX) OF SEQUENCE { accessMethod OID, accessLocation
 * GeneralName } */
static bool check_info_access(struct span value, struct error *err)
{
	struct span list, one, method, location;
	unsigned kind;
	bool good = der_take(&value, DER_SEQUENCE, &list) && !value.n && list.n;
	while (good && list.n)
		good = der_take(&list, DER_SEQUENCE, &one) && der_take(&one, DER_OID, &method) &&
		       general_name_next(&one, &kind, &location) && !one.n;
	return good || REFUSE("authorityInfoAccess is malformed");
}

static bool read_extension(struct cert_view *v, struct span oid, bool critical, struct span value,
			   struct error *err)
{
	if (span_is(oid, OID_AUTHORITY_INFO_ACCESS))
		return check_info_access(value, err);
	if (oid.n != 3 || !span_starts(oid, SPAN("\x55\x1d")))
		return true; /* unknown: a critical one has been refused when it was parsed */
	switch (oid.p[2]) {
	case CE_SUBJECT_KEY_ID:
		return critical ? REFUSE("subjectKeyIdentifier is critical") : true;
	case CE_AUTHORITY_KEY_ID:
		return critical ? REFUSE("authorityKeyIdentifier is critical") : true;
	case CE_KEY_USAGE:
		return read_key_usage(v, value, err);
	case CE_SUBJECT_ALT_NAME:
		return read_names(v, value, critical, err);
	case CE_BASIC_CONSTRAINTS:
		return read_basic_constraints(v, value, err);
	case CE_NAME_CONSTRAINTS:
		return read_name_constraints(v, value, err);
	case CE_EXT_KEY_USAGE:
		return read_purposes(v, value, err);
	case CE_POLICY_CONSTRAINTS:
	case CE_INHIBIT_ANY_POLICY:
		/* They must be critical, and critical ones are not supported: both ways out are no. */
		return REFUSE("policy constraints are not supported");
	default:
		return true;
	}
}

/* Extension ::= SEQUENCE { extnID OID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
static bool read_extensions(struct cert_view *v, struct span list, struct error *err)
{
	struct span seen[MAX_EXTENSIONS], one, flag, value;
	size_t count = 0;
	while (list.n) {
		if (count == MAX_EXTENSIONS)
			return REFUSE("more than %d extensions", MAX_EXTENSIONS);
		flag = (struct span){0};
		if (!der_take(&list, DER_SEQUENCE, &one) || !der_take(&one, DER_OID, &seen[count]) ||
		    (der_is(one, DER_BOOLEAN) && (!der_take(&one, DER_BOOLEAN, &flag) || flag.n != 1)) ||
		    !der_take(&one, DER_OCTET_STRING, &value) || one.n)
			return REFUSE("an extension is malformed");
		for (size_t i = 0; i < count; i++)
			if (span_is(seen[i], seen[count]))
				return REFUSE("an extension stands in it twice");
		if (!read_extension(v, seen[count], flag.n && flag.p[0] != 0, value, err))
			return false;
		count++;
	}
	return true;
}

bool cert_view_read(struct cert_view *v, const mbedtls_x509_crt *crt, struct error *err)
{
	*v = (struct cert_view){
		.crt = crt,
		.path_len = -1,
		.self_issued = span_is(cert_subject(crt), cert_issuer(crt)),
	};
	struct span all = {(const char *)crt->v3_ext.p, crt->v3_ext.len}, list;
	if (!all.n)
		return true;
	if (!der_take(&all, DER_SEQUENCE, &list) || all.n || !list.n)
		return REFUSE("its extensions are malformed");
	if (!read_extensions(v, list, err))
		return false;
	if ((v->permitted.p || v->excluded.p) && !v->is_ca)
		return REFUSE("nameConstraints stand in a certificate that is no CA");
	return true;
}

/*
 * What a peer's certificates say about themselves: extensions, names and name constraints
 * of a CA and of a certificate below it. No certificate around them is needed, so that
 * nothing stands between the fuzzer and our own decoders.
 *
 *	u16 length | Extensions of the CA | Extensions of the certificate below
 */
#include <stddef.h>
#include <stdint.h>

#include "base/be.h"
#include "base/check.h"
#include "tls/name_constraints.h"
#include "tls/server_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t subject[] = {0x30, 0x0f, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55,
				  0x04, 0x03, 0x0c, 0x04, 'l',	'e',  'a',  'f'};

static mbedtls_x509_crt certificate(const uint8_t *extensions, size_t n)
{
	mbedtls_x509_crt crt = {.version = 3};
	crt.v3_ext.p = (unsigned char *)(uintptr_t)extensions;
	crt.v3_ext.len = n;
	crt.subject_raw.p = crt.issuer_raw.p = (unsigned char *)(uintptr_t)subject;
	crt.subject_raw.len = crt.issuer_raw.len = sizeof subject;
	return crt;
}

/* Whatever was taken has names that can be walked to their end. */
static void walk(const struct cert_view *v)
{
	struct span rest = v->names, value;
	struct server_name name;
	unsigned kind;
	CHECK(server_name_init(&name, "www.example.com"));
	while (general_name_next(&rest, &kind, &value))
		if (kind == NAME_DNS)
			server_name_matches_dns(&name, value);
	CHECK(rest.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t n = be_u16(data);
	data += 2;
	size -= 2;
	if (n > size)
		n = size;
	mbedtls_x509_crt ca_crt = certificate(data, n), below_crt = certificate(data + n, size - n);
	struct cert_view ca, below;
	struct error err;
	bool have_ca = cert_view_read(&ca, &ca_crt, &err),
	     have_below = cert_view_read(&below, &below_crt, &err);
	if (have_below)
		walk(&below);
	unsigned budget = 1000;
	if (have_ca && have_below)
		name_constraints_allow(&ca, &below, &budget, &err);
	return 0;
}

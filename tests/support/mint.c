#include "mint.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "tls/cert_parse.h"
#include "tls/der.h"
#include "tls/entropy.h"
#include "tls/trust.h"

static mbedtls_pk_context keys[MINT_KEYS];
static bool have_keys;

static void make_keys(void)
{
	struct error err;
	CHECK(entropy_start(&err));
	for (int i = 0; i < MINT_KEYS; i++) {
		mbedtls_pk_init(&keys[i]);
		CHECK(mbedtls_pk_setup(&keys[i], mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
		CHECK(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(keys[i]), entropy_rng,
					  NULL) == 0);
	}
	have_keys = true;
}

void mint_free(void)
{
	for (int i = 0; have_keys && i < MINT_KEYS; i++)
		mbedtls_pk_free(&keys[i]);
	have_keys = false;
}

struct mint mint_root(void)
{
	return (struct mint){
		.subject = "CN=root",
		.issuer = "CN=root",
		.ca = 1,
		.path_len = -1,
		.usage = MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN,
		.from = "20260101000000",
		.to = "20261231235959",
		.serial = SPAN("\x01"),
		.md = MBEDTLS_MD_SHA256,
	};
}

struct mint mint_intermediate(void)
{
	struct mint m = mint_root();
	m.subject = "CN=intermediate";
	m.key = 1;
	return m;
}

struct mint mint_leaf(void)
{
	struct mint m = mint_root();
	m.subject = "CN=leaf";
	m.issuer = "CN=intermediate";
	m.key = 2;
	m.issuer_key = 1;
	m.ca = 0;
	m.usage = MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
	m.purposes = "s";
	m.names = SPAN("\x82\x0b"
		       "example.com");
	return m;
}

/* Wraps what b holds from `from` on. */
static void wrap(struct buf *b, size_t from, unsigned tag)
{
	size_t n = b->n - from;
	CHECK(n < 65536);
	char head[4] = {(char)tag, (char)0x82, (char)(n >> 8), (char)n};
	size_t head_len = 4;
	if (n < 128)
		head[1] = (char)n, head_len = 2;
	else if (n < 256)
		head[1] = (char)0x81, head[2] = (char)n, head_len = 3;
	CHECK(buf_add(b, "    ", head_len));
	memmove(b->p + from + head_len, b->p + from, n);
	memcpy(b->p + from, head, head_len);
}

static void add_subtrees(struct buf *b, struct span names, unsigned tag)
{
	size_t list = b->n;
	if (!names.p)
		return;
	while (names.n) {
		size_t one = b->n;
		struct span before = names, content;
		unsigned kind;
		CHECK(der_next(&names, &kind, &content));
		CHECK(buf_add(b, before.p, before.n - names.n));
		wrap(b, one, DER_SEQUENCE);
	}
	wrap(b, list, tag);
}

static void set_extension(mbedtls_x509write_cert *w, struct span oid, bool critical, struct span value)
{
	CHECK(mbedtls_x509write_crt_set_extension(w, oid.p, oid.n, critical, (const unsigned char *)value.p,
						  value.n) == 0);
}

static void set_names(mbedtls_x509write_cert *w, const struct mint *m, struct buf *b)
{
	if (!m->names.p)
		return;
	buf_clear(b);
	CHECK(buf_add_span(b, m->names));
	wrap(b, 0, DER_SEQUENCE);
	set_extension(w, SPAN("\x55\x1d\x11"), m->names_critical, buf_span(b));
}

static void set_constraints(mbedtls_x509write_cert *w, const struct mint *m, struct buf *b)
{
	if (!m->permitted.p && !m->excluded.p)
		return;
	buf_clear(b);
	add_subtrees(b, m->permitted, DER_CONTEXT_SET | 0);
	add_subtrees(b, m->excluded, DER_CONTEXT_SET | 1);
	wrap(b, 0, DER_SEQUENCE);
	set_extension(w, SPAN("\x55\x1d\x1e"), m->constraints_critical, buf_span(b));
}

static void set_purposes(mbedtls_x509write_cert *w, const struct mint *m, struct buf *b)
{
	if (!m->purposes)
		return;
	buf_clear(b);
	for (const char *p = m->purposes; *p; p++)
		CHECK(*p == 's'	  ? buf_add_text(b, "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01")
		      : *p == 'c' ? buf_add_text(b, "\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02")
				  : buf_add(b, "\x06\x04\x55\x1d\x25\x00", 6));
	wrap(b, 0, DER_SEQUENCE);
	set_extension(w, SPAN("\x55\x1d\x25"), false, buf_span(b));
}

static void set_all(mbedtls_x509write_cert *w, const struct mint *m, struct buf *b)
{
	mbedtls_x509write_crt_set_version(w, m->v1 ? MBEDTLS_X509_CRT_VERSION_1 : MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(w, m->md);
	mbedtls_x509write_crt_set_subject_key(w, &keys[m->key]);
	mbedtls_x509write_crt_set_issuer_key(w, &keys[m->issuer_key]);
	unsigned char serial[32];
	memcpy(serial, m->serial.p, m->serial.n);
	CHECK(mbedtls_x509write_crt_set_serial_raw(w, serial, m->serial.n) == 0);
	CHECK(mbedtls_x509write_crt_set_validity(w, m->from, m->to) == 0);
	CHECK(!*m->subject || mbedtls_x509write_crt_set_subject_name(w, m->subject) == 0);
	CHECK(!*m->issuer || mbedtls_x509write_crt_set_issuer_name(w, m->issuer) == 0);
	if (m->v1)
		return;
	if (m->ca >= 0)
		CHECK(mbedtls_x509write_crt_set_basic_constraints(w, m->ca, m->path_len) == 0);
	if (m->usage)
		CHECK(mbedtls_x509write_crt_set_key_usage(w, m->usage) == 0);
	set_purposes(w, m, b);
	set_names(w, m, b);
	set_constraints(w, m, b);
	if (m->extra_oid.n)
		set_extension(w, m->extra_oid, m->extra_critical, m->extra);
}

int mint_add(mbedtls_x509_crt *chain, const struct mint *m)
{
	if (!have_keys)
		make_keys();
	struct buf b;
	buf_init(&b, 1u << 20);
	mbedtls_x509write_cert w;
	mbedtls_x509write_crt_init(&w);
	set_all(&w, m, &b);
	static unsigned char der[65536];
	int n = mbedtls_x509write_crt_der(&w, der, sizeof der, entropy_rng, NULL);
	CHECK(n > 0);
	mbedtls_x509write_crt_free(&w);
	buf_free(&b);
	return cert_parse_der(chain, der + sizeof der - n, (size_t)n);
}

struct trust *mint_trust(const mbedtls_x509_crt *root)
{
	char path[] = "/tmp/np-root-XXXXXX";
	int fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, root->raw.p, root->raw.len) == (ssize_t)root->raw.len);
	close(fd);
	struct trust *t = trust_new();
	struct error err;
	CHECK(trust_add_file(t, path, &err));
	unlink(path);
	return t;
}

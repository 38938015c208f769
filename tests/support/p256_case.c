#include "p256_case.h"

#include <mbedtls/asn1write.h>
#include <mbedtls/ecdsa.h>
#include <string.h>

#include "base/check.h"

#define OK(call) CHECK((call) == 0)

static mbedtls_ecp_group group;

static mbedtls_ecp_group *curve(void)
{
	if (!group.id)
		OK(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_SECP256R1));
	return &group;
}

void p256_case_free(void)
{
	mbedtls_ecp_group_free(&group);
	mbedtls_ecp_group_init(&group);
}

/* Blinds mbedTLS's multiplication; nothing here is secret. */
static int no_secret(void *arg, unsigned char *out, size_t size)
{
	(void)arg;
	memset(out, 0x42, size);
	return 0;
}

static void read_mod(mbedtls_mpi *m, const uint8_t b[32], const mbedtls_mpi *n)
{
	mbedtls_mpi_init(m);
	OK(mbedtls_mpi_read_binary(m, b, 32));
	OK(mbedtls_mpi_mod_mpi(m, m, n));
}

static void write_key(struct p256_case *c, const mbedtls_ecp_point *q)
{
	uint8_t key[65];
	size_t n;
	OK(mbedtls_ecp_point_write_binary(curve(), q, MBEDTLS_ECP_PF_UNCOMPRESSED, &n, key, sizeof key));
	CHECK(n == sizeof key);
	memcpy(c->x, key + 1, 32);
	memcpy(c->y, key + 33, 32);
}

/* r = x(sum), s = r / u2, hash = u1 * s; for the point at infinity r = 1. */
static void write_signature(struct p256_case *c, const mbedtls_ecp_point *sum, const mbedtls_mpi *u1,
			    const mbedtls_mpi *u2)
{
	const mbedtls_mpi *n = &curve()->N;
	mbedtls_mpi r, s, e;
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	mbedtls_mpi_init(&e);
	if (sum)
		OK(mbedtls_mpi_mod_mpi(&r, &sum->MBEDTLS_PRIVATE(X), n));
	else
		OK(mbedtls_mpi_lset(&r, 1));
	OK(mbedtls_mpi_inv_mod(&s, u2, n));
	OK(mbedtls_mpi_mul_mpi(&s, &s, &r));
	OK(mbedtls_mpi_mod_mpi(&s, &s, n));
	OK(mbedtls_mpi_mul_mpi(&e, u1, &s));
	OK(mbedtls_mpi_mod_mpi(&e, &e, n));
	OK(mbedtls_mpi_write_binary(&r, c->r, 32));
	OK(mbedtls_mpi_write_binary(&s, c->s, 32));
	OK(mbedtls_mpi_write_binary(&e, c->hash, 32));
	c->hash_size = 32;
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&e);
}

bool p256_case_make(struct p256_case *c, const uint8_t d_bytes[32], const uint8_t u1_bytes[32],
		    const uint8_t u2_bytes[32])
{
	mbedtls_ecp_group *g = curve();
	mbedtls_mpi d, u1, u2, k;
	mbedtls_ecp_point q, sum;
	read_mod(&d, d_bytes, &g->N);
	read_mod(&u1, u1_bytes, &g->N);
	read_mod(&u2, u2_bytes, &g->N);
	mbedtls_mpi_init(&k);
	mbedtls_ecp_point_init(&q);
	mbedtls_ecp_point_init(&sum);
	OK(mbedtls_ecp_mul(g, &q, &d, &g->G, no_secret, NULL));
	OK(mbedtls_mpi_mul_mpi(&k, &u2, &d));
	OK(mbedtls_mpi_add_mpi(&k, &k, &u1));
	OK(mbedtls_mpi_mod_mpi(&k, &k, &g->N)); /* the sum is k * G */
	bool any = mbedtls_mpi_cmp_int(&k, 0) != 0;
	if (any)
		OK(mbedtls_ecp_mul(g, &sum, &k, &g->G, no_secret, NULL));
	write_key(c, &q);
	write_signature(c, any ? &sum : NULL, &u1, &u2);
	mbedtls_mpi_free(&d);
	mbedtls_mpi_free(&u1);
	mbedtls_mpi_free(&u2);
	mbedtls_mpi_free(&k);
	mbedtls_ecp_point_free(&q);
	mbedtls_ecp_point_free(&sum);
	return any;
}

/* y = (x^3 - 3x + b)^((p + 1) / 4), a root if there is one for p mod 4 = 3 */
static bool find_y(mbedtls_ecp_point *p)
{
	const mbedtls_ecp_group *g = curve();
	const mbedtls_mpi *x = &p->MBEDTLS_PRIVATE(X);
	mbedtls_mpi e, t;
	mbedtls_mpi_init(&e);
	mbedtls_mpi_init(&t);
	OK(mbedtls_mpi_mul_mpi(&t, x, x));
	OK(mbedtls_mpi_sub_int(&t, &t, 3));
	OK(mbedtls_mpi_mul_mpi(&t, &t, x));
	OK(mbedtls_mpi_add_mpi(&t, &t, &g->B));
	OK(mbedtls_mpi_mod_mpi(&t, &t, &g->P));
	OK(mbedtls_mpi_add_int(&e, &g->P, 1));
	OK(mbedtls_mpi_shift_r(&e, 2));
	OK(mbedtls_mpi_exp_mod(&p->MBEDTLS_PRIVATE(Y), &t, &e, &g->P, NULL));
	OK(mbedtls_mpi_lset(&p->MBEDTLS_PRIVATE(Z), 1));
	mbedtls_mpi_free(&e);
	mbedtls_mpi_free(&t);
	return mbedtls_ecp_check_pubkey(g, p) == 0;
}

bool p256_case_with_x(struct p256_case *c, const uint8_t x[32])
{
	mbedtls_ecp_group *g = curve();
	mbedtls_mpi one, minus;
	mbedtls_ecp_point sum, q;
	mbedtls_mpi_init(&one);
	mbedtls_mpi_init(&minus);
	mbedtls_ecp_point_init(&sum);
	mbedtls_ecp_point_init(&q);
	OK(mbedtls_mpi_read_binary(&sum.MBEDTLS_PRIVATE(X), x, 32));
	bool found = find_y(&sum);
	if (found) { /* Q = sum - G */
		OK(mbedtls_mpi_lset(&one, 1));
		OK(mbedtls_mpi_sub_int(&minus, &g->N, 1));
		OK(mbedtls_ecp_muladd(g, &q, &one, &sum, &minus, &g->G));
		write_key(c, &q);
		write_signature(c, &sum, &one, &one);
	}
	mbedtls_mpi_free(&one);
	mbedtls_mpi_free(&minus);
	mbedtls_ecp_point_free(&sum);
	mbedtls_ecp_point_free(&q);
	return found;
}

static void read_point(mbedtls_ecp_point *q, const struct p256_case *c)
{
	OK(mbedtls_mpi_read_binary(&q->MBEDTLS_PRIVATE(X), c->x, 32));
	OK(mbedtls_mpi_read_binary(&q->MBEDTLS_PRIVATE(Y), c->y, 32));
	OK(mbedtls_mpi_lset(&q->MBEDTLS_PRIVATE(Z), 1));
}

/* From the end backwards, as mbedTLS writes ASN.1. */
static size_t write_der(uint8_t *room, size_t size, const struct p256_case *c)
{
	uint8_t *p = room + size;
	int n = 0;
	mbedtls_mpi r, s;
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	OK(mbedtls_mpi_read_binary(&r, c->r, 32));
	OK(mbedtls_mpi_read_binary(&s, c->s, 32));
	n += mbedtls_asn1_write_mpi(&p, room, &s);
	n += mbedtls_asn1_write_mpi(&p, room, &r);
	n += mbedtls_asn1_write_len(&p, room, (size_t)n);
	n += mbedtls_asn1_write_tag(&p, room, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	CHECK(n > 0 && p == room + size - n);
	return (size_t)n;
}

bool p256_case_verify(const struct p256_case *c)
{
	uint8_t sig[80];
	size_t n = write_der(sig, sizeof sig, c);
	mbedtls_ecdsa_context key;
	mbedtls_ecdsa_init(&key);
	OK(mbedtls_ecp_group_copy(&key.MBEDTLS_PRIVATE(grp), curve()));
	read_point(&key.MBEDTLS_PRIVATE(Q), c);
	int rc = mbedtls_ecdsa_read_signature(&key, c->hash, c->hash_size, sig + sizeof sig - n, n);
	mbedtls_ecdsa_free(&key);
	return rc == 0;
}

bool p256_case_verify_stock(const struct p256_case *c)
{
	mbedtls_mpi r, s;
	mbedtls_ecp_point q;
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	mbedtls_ecp_point_init(&q);
	read_point(&q, c);
	OK(mbedtls_mpi_read_binary(&r, c->r, 32));
	OK(mbedtls_mpi_read_binary(&s, c->s, 32));
	int rc = mbedtls_ecdsa_verify(curve(), c->hash, c->hash_size, &q, &r, &s);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
	mbedtls_ecp_point_free(&q);
	return rc == 0;
}

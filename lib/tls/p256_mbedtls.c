/*
 * Where mbedTLS's ECDSA verification meets ours: signatures over P-256 go to
 * p256_verify.c, everything else on to mbedTLS. Its PK layer, which verifies certificates
 * and handshakes, calls mbedtls_ecdsa_read_signature in another object, so the linker is asked:
 *
 *	-Wl,--wrap=mbedtls_ecdsa_read_signature
 *
 * sends that call here and names the original __real_*. mbedtls_ecdsa_verify stays
 * mbedTLS's own: the tests compare the two.
 */
#include <mbedtls/asn1.h>
#include <mbedtls/ecdsa.h>
#include <string.h>

#include "tls/p256_verify.h"

int __real_mbedtls_ecdsa_read_signature(mbedtls_ecdsa_context *ctx, const unsigned char *hash, size_t hlen,
					const unsigned char *sig, size_t slen);
int __wrap_mbedtls_ecdsa_read_signature(mbedtls_ecdsa_context *ctx, const unsigned char *hash, size_t hlen,
					const unsigned char *sig, size_t slen);

/* INTEGER as mbedTLS takes it: zeros in front do not matter and there is no sign. */
static bool read_number(uint8_t out[32], unsigned char **p, const unsigned char *end)
{
	size_t n;
	if (mbedtls_asn1_get_tag(p, end, &n, MBEDTLS_ASN1_INTEGER) != 0)
		return false;
	const unsigned char *number = *p;
	*p += n;
	for (; n && !*number; n--)
		number++;
	if (n > 32)
		return false;
	memset(out, 0, 32 - n);
	memcpy(out + 32 - n, number, n);
	return true;
}

/* SEQUENCE { r INTEGER, s INTEGER } and nothing else (RFC 3279 section 2.2.3) */
static bool read_signature(uint8_t r[32], uint8_t s[32], const unsigned char *sig, size_t size)
{
	unsigned char *p = (unsigned char *)(uintptr_t)sig; /* mbedTLS moves it, and only reads */
	const unsigned char *end = sig + size;
	size_t n;
	return mbedtls_asn1_get_tag(&p, end, &n, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) == 0 &&
	       p + n == end && read_number(r, &p, end) && read_number(s, &p, end) && p == end;
}

/* 04 | x | y; the point at infinity is shorter. */
static bool read_key(uint8_t key[65], const mbedtls_ecdsa_context *ctx)
{
	size_t n;
	return ctx->MBEDTLS_PRIVATE(grp).id == MBEDTLS_ECP_DP_SECP256R1 &&
	       mbedtls_mpi_cmp_int(&ctx->MBEDTLS_PRIVATE(Q).MBEDTLS_PRIVATE(Z), 1) == 0 &&
	       mbedtls_ecp_point_write_binary(&ctx->MBEDTLS_PRIVATE(grp), &ctx->MBEDTLS_PRIVATE(Q),
					      MBEDTLS_ECP_PF_UNCOMPRESSED, &n, key, 65) == 0 &&
	       n == 65;
}

/* What is malformed is left to mbedTLS to refuse, in its own words. */
int __wrap_mbedtls_ecdsa_read_signature(mbedtls_ecdsa_context *ctx, const unsigned char *hash, size_t hlen,
					const unsigned char *sig, size_t slen)
{
	uint8_t key[65], r[32], s[32];
	if (!read_key(key, ctx) || !read_signature(r, s, sig, slen))
		return __real_mbedtls_ecdsa_read_signature(ctx, hash, hlen, sig, slen);
	return p256_verify(key + 1, key + 33, hash, hlen, r, s) ? 0 : MBEDTLS_ERR_ECP_VERIFY_FAILED;
}

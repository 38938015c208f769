/*
 * Every X25519 multiplication by the verified code mbedTLS carries.
 *
 * mbedTLS 3.6 ships HACL*'s Curve25519 ("Everest": proved correct, free of
 * branches and addresses that depend on secrets), but with
 * MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED only the agreement uses it. The public
 * key of each handshake still goes through the general bignum ladder, which
 * costs four times as much. mbedTLS has no hook between its ECP module and
 * those who call it, short of replacing the module whole, so the linker is asked:
 *
 *     -Wl,--wrap=mbedtls_ecp_mul -Wl,--wrap=mbedtls_ecp_mul_restartable
 *
 * sends the calls of all other objects to the functions below, and names the
 * originals __real_*. Other curves go straight on to those.
 */
#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>
#include <stdint.h>
#include <string.h>

#ifndef MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED
#error "mbedTLS was built without Everest: configure with -DNP_ACCEL=OFF"
#endif

typedef int rng_fn(void *, unsigned char *, size_t);

/* mbedTLS installs no header for it; it lives in libeverest.a. Clamps the secret where it stands. */
void Hacl_Curve25519_crypto_scalarmult(uint8_t *result, uint8_t *secret, uint8_t *point);

int __real_mbedtls_ecp_mul_restartable(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m,
				       const mbedtls_ecp_point *P, rng_fn *f_rng, void *p_rng,
				       mbedtls_ecp_restart_ctx *rs_ctx);
int __wrap_mbedtls_ecp_mul_restartable(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m,
				       const mbedtls_ecp_point *P, rng_fn *f_rng, void *p_rng,
				       mbedtls_ecp_restart_ctx *rs_ctx);
int __wrap_mbedtls_ecp_mul(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m,
			   const mbedtls_ecp_point *P, rng_fn *f_rng, void *p_rng);

/* R = (x : 1); the ladder has no y, and mbedTLS knows a Montgomery point by that. R may be P. */
static int multiply(mbedtls_ecp_point *R, const mbedtls_mpi *m, const mbedtls_ecp_point *P)
{
	unsigned char secret[32], point[32], result[32];
	unsigned char any = 0;
	int failed;

	failed = mbedtls_mpi_write_binary_le(m, secret, sizeof secret);
	if (!failed)
		failed = mbedtls_mpi_write_binary_le(&P->MBEDTLS_PRIVATE(X), point, sizeof point);
	if (!failed) {
		Hacl_Curve25519_crypto_scalarmult(result, secret, point);
		for (size_t i = 0; i < sizeof result; i++)
			any |= result[i];
		if (any == 0)
			failed = MBEDTLS_ERR_ECP_INVALID_KEY; /* a point of low order: RFC 7748, 6.1 */
	}
	if (!failed) {
		mbedtls_mpi_free(&R->MBEDTLS_PRIVATE(Y));
		failed = mbedtls_mpi_lset(&R->MBEDTLS_PRIVATE(Z), 1);
	}
	if (!failed)
		failed = mbedtls_mpi_read_binary_le(&R->MBEDTLS_PRIVATE(X), result, sizeof result);
	mbedtls_platform_zeroize(secret, sizeof secret);
	mbedtls_platform_zeroize(result, sizeof result);
	return failed;
}

int __wrap_mbedtls_ecp_mul_restartable(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m,
				       const mbedtls_ecp_point *P, rng_fn *f_rng, void *p_rng,
				       mbedtls_ecp_restart_ctx *rs_ctx)
{
	int failed;

	/* HACL* ignores bit 255 of x, as on the wire; mbedTLS takes the number as it is. */
	if (grp->id != MBEDTLS_ECP_DP_CURVE25519 || mbedtls_mpi_bitlen(&P->MBEDTLS_PRIVATE(X)) > 255)
		return __real_mbedtls_ecp_mul_restartable(grp, R, m, P, f_rng, p_rng, rs_ctx);

	failed = mbedtls_ecp_check_privkey(grp, m);
	if (!failed)
		failed = mbedtls_ecp_check_pubkey(grp, P);
	if (!failed)
		failed = multiply(R, m, P);
	return failed;
}

int __wrap_mbedtls_ecp_mul(mbedtls_ecp_group *grp, mbedtls_ecp_point *R, const mbedtls_mpi *m,
			   const mbedtls_ecp_point *P, rng_fn *f_rng, void *p_rng)
{
	return __wrap_mbedtls_ecp_mul_restartable(grp, R, m, P, f_rng, p_rng, NULL);
}

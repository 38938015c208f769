/*
 * X25519 through mbedtls_ecp_mul, whoever answers it (x25519_everest.c, or mbedTLS with NP_ACCEL=OFF): the
 * vectors of RFC 7748, and what must be refused.
 */
#include "base/check.h"

#include <mbedtls/ecp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static mbedtls_ecp_group group;

static int some_bytes(void *context, unsigned char *out, size_t size)
{
	(void)context;
	memset(out, 0x42, size); /* only blinds mbedTLS's own ladder */
	return 0;
}

static void unhex(unsigned char out[32], const char *hex)
{
	for (size_t i = 0; i < 32; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (unsigned char)byte;
	}
}

/* RFC 7748's X25519(k, u): clamps k and drops the top bit of u. */
static int x25519(unsigned char out[32], const unsigned char k[32], const unsigned char u[32])
{
	mbedtls_mpi scalar;
	mbedtls_ecp_point point;
	unsigned char copy[32];
	size_t written;
	int failed;

	memcpy(copy, k, 32);
	copy[0] &= 248;
	copy[31] = (unsigned char)((copy[31] & 127) | 64);
	mbedtls_mpi_init(&scalar);
	mbedtls_ecp_point_init(&point);
	assert_int_equal(mbedtls_mpi_read_binary_le(&scalar, copy, 32), 0);
	assert_int_equal(mbedtls_ecp_point_read_binary(&group, &point, u, 32), 0);
	failed = mbedtls_ecp_mul(&group, &point, &scalar, &point, some_bytes, NULL);
	if (!failed)
		assert_int_equal(mbedtls_ecp_point_write_binary(&group, &point, MBEDTLS_ECP_PF_UNCOMPRESSED,
								&written, out, 32),
				 0);
	mbedtls_ecp_point_free(&point);
	mbedtls_mpi_free(&scalar);
	return failed;
}

static void check(const char *k_hex, const char *u_hex, const char *wanted_hex)
{
	unsigned char k[32], u[32], wanted[32], out[32];

	unhex(k, k_hex);
	unhex(u, u_hex);
	unhex(wanted, wanted_hex);
	assert_int_equal(x25519(out, k, u), 0);
	assert_memory_equal(out, wanted, 32);
}

/* 5.2; the second point has bit 255 set */
static void test_vectors(void **state)
{
	(void)state;
	check("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
	check("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	      "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	      "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

/* 6.1 */
static void test_agreement(void **state)
{
	static const char base[] = "0900000000000000000000000000000000000000000000000000000000000000";
	static const char alice[] = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
	static const char bob[] = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";

	(void)state;
	check(alice, base, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	check(bob, base, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	check(alice, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	      "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	check(bob, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	      "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

/* 5.2: each result is the next scalar, each scalar the next point */
static void test_iterated(void **state)
{
	unsigned char k[32] = {9}, u[32] = {9}, out[32], wanted[32];

	(void)state;
	for (int i = 1; i <= 1000; i++) {
		assert_int_equal(x25519(out, k, u), 0);
		memcpy(u, k, 32);
		memcpy(k, out, 32);
		if (i == 1) {
			unhex(wanted, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
			assert_memory_equal(out, wanted, 32);
		}
	}
	unhex(wanted, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
	assert_memory_equal(out, wanted, 32);
}

/* A peer that sends one of these would know the shared secret beforehand. */
static void test_low_order_points_refused(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	unsigned char k[32], u[32], out[32];

	(void)state;
	memset(k, 0x77, sizeof k);
	for (size_t i = 0; i < countof(points); i++) {
		unhex(u, points[i]);
		assert_int_not_equal(x25519(out, k, u), 0);
	}
}

/* Scalars must come clamped, points fit; other curves are none of this code's business. */
static void test_arguments(void **state)
{
	mbedtls_ecp_point point;
	mbedtls_ecp_group other;
	mbedtls_mpi scalar;

	(void)state;
	mbedtls_mpi_init(&scalar);
	mbedtls_ecp_point_init(&point);
	assert_int_equal(mbedtls_mpi_lset(&scalar, 8), 0);
	assert_int_not_equal(mbedtls_ecp_mul(&group, &point, &scalar, &group.G, some_bytes, NULL), 0);

	mbedtls_ecp_group_init(&other);
	assert_int_equal(mbedtls_ecp_group_load(&other, MBEDTLS_ECP_DP_SECP256R1), 0);
	assert_int_equal(mbedtls_mpi_lset(&scalar, 1), 0);
	assert_int_equal(mbedtls_ecp_mul(&other, &point, &scalar, &other.G, some_bytes, NULL), 0);
	assert_int_equal(mbedtls_ecp_point_cmp(&point, &other.G), 0);
	mbedtls_ecp_group_free(&other);
	mbedtls_ecp_point_free(&point);
	mbedtls_mpi_free(&scalar);
}

static int load_group(void **state)
{
	(void)state;
	mbedtls_ecp_group_init(&group);
	return mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_CURVE25519);
}

static int free_group(void **state)
{
	(void)state;
	mbedtls_ecp_group_free(&group);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	  cmocka_unit_test(test_agreement),
		cmocka_unit_test(test_iterated),  cmocka_unit_test(test_low_order_points_refused),
		cmocka_unit_test(test_arguments),
	};

	return cmocka_run_group_tests(tests, load_group, free_group);
}

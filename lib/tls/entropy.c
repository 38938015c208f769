#include "tls/entropy.h"

#include <mbedtls/build_info.h>
#include <psa/crypto.h>
#include <string.h>

#include "base/check.h"

/* 3.6.6 lacks two fixes that matter in an enclave; a 2.x in the include path would lack all. */
#if MBEDTLS_VERSION_NUMBER < 0x03060600
#error "mbedTLS 3.6.6 or later is needed; is an older one first in the include path?"
#endif

bool entropy_start(struct error *err)
{
	psa_status_t status = psa_crypto_init();
	if (status != PSA_SUCCESS)
		return error_set(err, ERR_INTERNAL, "no cryptography: psa_crypto_init says %d", (int)status);
	unsigned char probe[32] = {0}, zero[32] = {0};
	status = psa_generate_random(probe, sizeof probe);
	if (status != PSA_SUCCESS || memcmp(probe, zero, sizeof probe) == 0)
		return error_set(err, ERR_INTERNAL, "no random bytes: the generator says %d", (int)status);
	return true;
}

void entropy_forked(void)
{
	mbedtls_psa_crypto_free();
	CHECK(psa_crypto_init() == PSA_SUCCESS);
}

int entropy_rng(void *arg, unsigned char *p, size_t n)
{
	(void)arg;
	return psa_generate_random(p, n) == PSA_SUCCESS ? 0 : PSA_ERROR_INSUFFICIENT_ENTROPY;
}

void entropy_fill(void *p, size_t n)
{
	CHECK(entropy_rng(NULL, p, n) == 0);
}

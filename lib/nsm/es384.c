#include "nsm/es384.h"

#include <psa/crypto.h>

#include "base/check.h"

#define ES384 PSA_ALG_ECDSA(PSA_ALG_SHA_384)

static psa_key_attributes_t attributes(psa_key_type_t type, psa_key_usage_t usage)
{
	psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
	psa_set_key_type(&a, type);
	psa_set_key_bits(&a, 384);
	psa_set_key_algorithm(&a, ES384);
	psa_set_key_usage_flags(&a, usage);
	return a;
}

bool es384_verify(const uint8_t point[ES384_POINT_SIZE], struct span message,
		  const uint8_t signature[ES384_SIGNATURE_SIZE])
{
	psa_key_attributes_t a =
		attributes(PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1), PSA_KEY_USAGE_VERIFY_MESSAGE);
	psa_key_id_t id;
	CHECK(psa_crypto_init() == PSA_SUCCESS);
	if (psa_import_key(&a, point, ES384_POINT_SIZE, &id) != PSA_SUCCESS)
		return false;
	psa_status_t status = psa_verify_message(id, ES384, (const uint8_t *)message.p, message.n, signature,
						 ES384_SIGNATURE_SIZE);
	psa_destroy_key(id);
	return status == PSA_SUCCESS;
}

bool es384_generate(struct es384_key *key, bool exportable, struct error *err)
{
	psa_key_usage_t usage = PSA_KEY_USAGE_SIGN_MESSAGE | (exportable ? PSA_KEY_USAGE_EXPORT : 0);
	psa_key_attributes_t a = attributes(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), usage);
	CHECK(psa_crypto_init() == PSA_SUCCESS);
	psa_status_t status = psa_generate_key(&a, &key->id);
	if (status != PSA_SUCCESS)
		return error_set(err, ERR_INTERNAL, "cannot make a P-384 key (PSA error %d)", (int)status);
	return true;
}

void es384_free(struct es384_key *key)
{
	psa_destroy_key(key->id);
	key->id = 0;
}

void es384_point(const struct es384_key *key, uint8_t point[ES384_POINT_SIZE])
{
	size_t got;
	CHECK(psa_export_public_key(key->id, point, ES384_POINT_SIZE, &got) == PSA_SUCCESS &&
	      got == ES384_POINT_SIZE);
}

bool es384_sign(const struct es384_key *key, struct span message, uint8_t signature[ES384_SIGNATURE_SIZE],
		struct error *err)
{
	size_t got;
	psa_status_t status = psa_sign_message(key->id, ES384, (const uint8_t *)message.p, message.n,
					       signature, ES384_SIGNATURE_SIZE, &got);
	if (status != PSA_SUCCESS || got != ES384_SIGNATURE_SIZE)
		return error_set(err, ERR_INTERNAL, "cannot sign (PSA error %d)", (int)status);
	return true;
}

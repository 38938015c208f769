#include "nsm/es384.h"

#include <psa/crypto.h>
#include <string.h>

#include "base/check.h"

#define ES384		    PSA_ALG_ECDSA(PSA_ALG_SHA_384)
#define ES384_DETERMINISTIC PSA_ALG_DETERMINISTIC_ECDSA(PSA_ALG_SHA_384)

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

static bool generate(struct es384_key *key, const psa_key_attributes_t *a, struct error *err)
{
	CHECK(psa_crypto_init() == PSA_SUCCESS);
	psa_status_t status = psa_generate_key(a, &key->id);
	if (status != PSA_SUCCESS)
		return error_set(err, ERR_INTERNAL, "cannot make a P-384 key (PSA error %d)", (int)status);
	return true;
}

bool es384_generate(struct es384_key *key, bool exportable, struct error *err)
{
	psa_key_usage_t usage = PSA_KEY_USAGE_SIGN_MESSAGE | (exportable ? PSA_KEY_USAGE_EXPORT : 0);
	psa_key_attributes_t a = attributes(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), usage);
	key->deterministic = false;
	return generate(key, &a, err);
}

bool es384_generate_deterministic(struct es384_key *key, struct error *err)
{
	psa_key_attributes_t a =
		attributes(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), PSA_KEY_USAGE_SIGN_MESSAGE);
	psa_set_key_algorithm(&a, ES384_DETERMINISTIC);
	key->deterministic = true;
	return generate(key, &a, err);
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
	psa_status_t status = psa_sign_message(key->id, key->deterministic ? ES384_DETERMINISTIC : ES384,
					       (const uint8_t *)message.p, message.n, signature,
					       ES384_SIGNATURE_SIZE, &got);
	if (status != PSA_SUCCESS || got != ES384_SIGNATURE_SIZE)
		return error_set(err, ERR_INTERNAL, "cannot sign (PSA error %d)", (int)status);
	return true;
}

/* RFC 5480: all that stands in front of the point is the same for every key on this curve. */
void es384_point_sha256(const uint8_t point[ES384_POINT_SIZE], uint8_t out[SHA256_SIZE])
{
	static const uint8_t header[] = {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a,
					 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,	   /* ecPublicKey */
					 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, /* secp384r1 */
					 0x03, 0x62, 0x00};
	uint8_t der[sizeof header + ES384_POINT_SIZE];
	memcpy(der, header, sizeof header);
	memcpy(der + sizeof header, point, ES384_POINT_SIZE);
	digest_sha256((struct span){(const char *)der, sizeof der}, out);
}

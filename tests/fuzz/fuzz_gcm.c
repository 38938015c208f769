/*
 * AES-GCM, on every path, cut into pieces as the input says, against libcrypto's.
 *
 *	byte 0      key size: 16, 24 or 32
 *	byte 1      IV size - 1, up to 128
 *	byte 2      AAD size
 *	byte 3      where the AAD is cut
 *	byte 4      bytes a piece of text, 0 for all at once
 *	byte 5, 6   bit of tag or ciphertext that is flipped at last
 *	then        key, IV and AAD, repeated if short, and the text: all that is left
 */
#include "base/check.h"
#include "tls/gcm_path.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HEAD	 7
#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct message {
	unsigned char key[32], iv[128], aad[255];
	unsigned int bits;
	size_t iv_size, aad_size, aad_cut, piece, flip;
	const unsigned char *text;
	size_t size;
};

static size_t take(unsigned char *out, size_t wanted, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < wanted; i++)
		out[i] = size ? data[i % size] : 0;
	return wanted < size ? wanted : size;
}

static struct message parse(const uint8_t *data, size_t size)
{
	struct message m = {
		.bits = 128 + 64 * (data[0] % 3u),
		.iv_size = 1 + data[1] % 128u,
		.aad_size = data[2],
		.aad_cut = data[2] ? data[3] % data[2] : 0,
		.piece = data[4],
		.flip = data[5] | (size_t)data[6] << 8,
	};

	data += HEAD;
	size -= HEAD;
	for (int i = 0; i < 3; i++) {
		size_t used = i == 0   ? take(m.key, m.bits / 8, data, size)
			      : i == 1 ? take(m.iv, m.iv_size, data, size)
				       : take(m.aad, m.aad_size, data, size);
		data += used;
		size -= used;
	}
	m.text = data;
	m.size = size < TEXT_MAX ? size : TEXT_MAX;
	return m;
}

static void with_libcrypto(const struct message *m, unsigned char *out, unsigned char tag[16])
{
	const EVP_CIPHER *cipher = m->bits == 128   ? EVP_aes_128_gcm()
				   : m->bits == 192 ? EVP_aes_192_gcm()
						    : EVP_aes_256_gcm();
	EVP_CIPHER_CTX *evp = EVP_CIPHER_CTX_new();
	int written;

	CHECK(evp && EVP_EncryptInit_ex(evp, cipher, NULL, NULL, NULL) == 1);
	CHECK(EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_SET_IVLEN, (int)m->iv_size, NULL) == 1);
	CHECK(EVP_EncryptInit_ex(evp, NULL, NULL, m->key, m->iv) == 1);
	if (m->aad_size)
		CHECK(EVP_EncryptUpdate(evp, NULL, &written, m->aad, (int)m->aad_size) == 1);
	if (m->size)
		CHECK(EVP_EncryptUpdate(evp, out, &written, m->text, (int)m->size) == 1);
	CHECK(EVP_EncryptFinal_ex(evp, out + m->size, &written) == 1 && written == 0);
	CHECK(EVP_CIPHER_CTX_ctrl(evp, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
	EVP_CIPHER_CTX_free(evp);
}

static void in_pieces(mbedtls_gcm_context *gcm, const struct message *m, int mode, const unsigned char *in,
		      unsigned char *out, unsigned char tag[16])
{
	size_t piece = m->piece ? m->piece : m->size + 1, written;

	CHECK(mbedtls_gcm_starts(gcm, mode, m->iv, m->iv_size) == 0);
	CHECK(mbedtls_gcm_update_ad(gcm, m->aad, m->aad_cut) == 0);
	CHECK(mbedtls_gcm_update_ad(gcm, m->aad + m->aad_cut, m->aad_size - m->aad_cut) == 0);
	for (size_t done = 0; done < m->size; done += written) {
		size_t n = m->size - done < piece ? m->size - done : piece;

		CHECK(mbedtls_gcm_update(gcm, in + done, n, out + done, n, &written) == 0 && written == n);
	}
	CHECK(mbedtls_gcm_finish(gcm, NULL, 0, &written, tag, 16) == 0);
}

static void check_path(const struct gcm_path *path, const struct message *m, const unsigned char *cipher,
		       const unsigned char tag[16])
{
	unsigned char *out = malloc(m->size + 1), forged[16], out_tag[16];
	mbedtls_gcm_context gcm;
	size_t bit = m->flip % (8 * (16 + m->size));

	CHECK(out);
	mbedtls_gcm_init(&gcm);
	CHECK(gcm_setkey_on(&gcm, path, m->key, m->bits) == 0);

	in_pieces(&gcm, m, MBEDTLS_GCM_ENCRYPT, m->text, out, out_tag);
	CHECK(memcmp(out, cipher, m->size) == 0 && memcmp(out_tag, tag, 16) == 0);
	in_pieces(&gcm, m, MBEDTLS_GCM_DECRYPT, out, out, out_tag); /* in place */
	CHECK((m->size == 0 || memcmp(out, m->text, m->size) == 0) && memcmp(out_tag, tag, 16) == 0);
	CHECK(mbedtls_gcm_auth_decrypt(&gcm, m->size, m->iv, m->iv_size, m->aad, m->aad_size, tag, 16, cipher,
				       out) == 0);
	CHECK(m->size == 0 || memcmp(out, m->text, m->size) == 0);

	memcpy(forged, tag, 16);
	memcpy(out, cipher, m->size);
	if (bit < 128)
		forged[bit / 8] ^= (unsigned char)(1 << bit % 8);
	else
		out[bit / 8 - 16] ^= (unsigned char)(1 << bit % 8);
	CHECK(mbedtls_gcm_auth_decrypt(&gcm, m->size, m->iv, m->iv_size, m->aad, m->aad_size, forged, 16, out,
				       out) == MBEDTLS_ERR_GCM_AUTH_FAILED);
	for (size_t i = 0; i < m->size; i++)
		CHECK(out[i] == 0);
	mbedtls_gcm_free(&gcm);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char cipher[TEXT_MAX + 16];
	unsigned char tag[16];

	if (size < HEAD)
		return 0;

	struct message m = parse(data, size);

	with_libcrypto(&m, cipher, tag);
	for (size_t i = 0; i < countof(gcm_paths); i++)
		if (gcm_paths[i]->usable())
			check_path(gcm_paths[i], &m, cipher, tag);
	return 0;
}
